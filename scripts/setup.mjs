// Brings a checkout to the point where everything runs: packages, the addon, dist/.
// Does nothing that has been done; prints what takes long.

import { statSync } from 'node:fs'
import { join } from 'node:path'
import { buildAddon, buildDist } from './build.mjs'
import { isMain, npm, root, say } from './steps.mjs'

/** Everything that `npm test` and `npm run demo` need. */
export async function setUp() {
  await installPackages()
  await buildAddon()
  await buildDist()
}

/** Installs the development packages unless the installed ones are of this lock file. */
async function installPackages() {
  if (modified('node_modules/.package-lock.json') >= modified('package-lock.json')) return
  say('installing the development packages')
  await npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund'])
}

const modified = file => statSync(join(root, file), { throwIfNoEntry: false })?.mtimeMs ?? 0

if (isMain(import.meta.url)) {
  await setUp().catch(error => {
    say(error.message)
    process.exitCode = 1
  })
}
