// The suites on the JavaScript side, for `npm test` and `npm run ready`.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { node, root } from './steps.mjs'

const folder = '__test__'

/** Every test file, as a path from the root. */
export function testFiles() {
  return readdirSync(join(root, folder), { recursive: true })
    .filter(name => name.endsWith('.test.mjs') && !name.includes('node_modules'))
    .map(name => `${folder}/${name.replaceAll('\\', '/')}`)
    .sort()
}

/** Runs test files with Node's own runner; it passes flags of Node on to each. */
export const nodeTests = (files, ...flags) => node([...flags, '--test', ...files])

/** Checks ts/ against index.d.ts, and the types that users see. */
export const typeTests = () => node(['node_modules/typescript/bin/tsc', '-p', '.'])

/** Checks format and lint of everything that is not Rust. */
export const biome = (...args) => node(['node_modules/@biomejs/biome/bin/biome', ...args])
