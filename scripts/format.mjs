// `npm run format`: writes the one format of Rust and JavaScript.

import { cargo } from './steps.mjs'
import { biome } from './suites.mjs'

await cargo('fmt --all')
await biome('check', '--write', '.')
