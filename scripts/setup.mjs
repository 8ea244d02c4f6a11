// Brings a checkout to the point where everything runs: packages, the addon, dist/.
// Does nothing that has been done; prints what takes long.

import { statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { buildAddon, buildDist } from './build.mjs'
import { isMain, npm, root, say } from './steps.mjs'

/** Everything that `npm test` and `npm run demo` need. */
export async function setUp() {
  await installPackages()
  await buildAddon()
  await buildDist()
}

const installed = 'node_modules/.package-lock.json'

/**
 * Installs the development packages unless the installed ones are of this lock file. Not with
 * `npm ci`: that refuses a lock file that lacks the packages of another platform.
 */
async function installPackages() {
  if (modified(installed) >= modified('package-lock.json')) return
  say('installing the development packages')
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error']
  await npm(['install', '--no-save', '--ignore-scripts', ...quiet])
  utimesSync(join(root, installed), new Date(), new Date())
}

const modified = file => statSync(join(root, file), { throwIfNoEntry: false })?.mtimeMs ?? 0

if (isMain(import.meta.url)) {
  await setUp().catch(error => {
    say(error.message)
    process.exitCode = 1
  })
}
