// `npm run format`: writes the one format of Rust and JavaScript.

import { run } from './steps.mjs'
import { biome } from './suites.mjs'

await run('cargo', ['fmt', '--all'])
await biome('check', '--write', '.')
