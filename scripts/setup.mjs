// Brings a checkout to the point where everything runs: packages, the addon, dist/.
// Does nothing that has been done; prints what takes long.

import { statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { buildAddon, buildDist } from './build.mjs'
import { isMain, npm, root, say } from './steps.mjs'

/** Everything that `npm test` and `npm run demo` need. */
export async function setUp() {
  await installPackages('')
  await buildAddon()
  await buildDist()
}

/** What only the tests of the package need: compilers, a bundler, checkers of packages. */
export const setUpTools = () => installPackages('__test__/package')

/**
 * Installs the packages of a folder unless the installed ones are of its lock file. Not with
 * `npm ci`: that refuses a lock file that lacks the packages of another platform.
 */
async function installPackages(folder) {
  const cwd = join(root, folder)
  const installed = join(cwd, 'node_modules/.package-lock.json')
  if (modified(installed) >= modified(join(cwd, 'package-lock.json'))) return
  say(`installing the development packages${folder && ` of ${folder}`}`)
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error']
  await npm(['install', '--no-save', '--ignore-scripts', ...quiet], { cwd })
  utimesSync(installed, new Date(), new Date())
}

const modified = file => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0

if (isMain(import.meta.url)) {
  await setUp().catch(error => {
    say(error.message)
    process.exitCode = 1
  })
}
