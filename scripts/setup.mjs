// Brings a checkout to the point where everything runs: packages, the addon, dist/.
// Does nothing that has been done; prints what takes long.

import { statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { buildAddon, buildDist } from './build.mjs'
import { has, isMain, need, npm, root, run, say, withHeaders } from './steps.mjs'

/** Everything that `npm test` and `npm run demo` need. */
export async function setUp() {
  await installPackages('')
  await buildAddon()
  await buildDist()
}

/** What only tests need: compilers, a bundler, checkers of packages, vitest, a second SQLite. */
export async function setUpTools() {
  await installPackages('__test__/package')
  await installPackages('__test__/vitest')
  await buildSqlite()
}

/** Compiles better-sqlite3 for this Node.js, unless it is there: packages come without scripts. */
async function buildSqlite() {
  const probe = ['--eval', "new (require('better-sqlite3'))(':memory:').close()"]
  if (has(process.execPath, ...probe)) return
  say('fetching or compiling better-sqlite3: a minute')
  await npm(['rebuild', 'better-sqlite3', '--loglevel=error'], { env: withHeaders() })
}

/**
 * Installs the packages of a folder unless the installed ones are of its lock file. Not with
 * `npm ci`: that refuses a lock file that lacks the packages of another platform.
 */
export async function installPackages(folder) {
  const cwd = join(root, folder)
  const installed = join(cwd, 'node_modules/.package-lock.json')
  if (modified(installed) >= modified(join(cwd, 'package-lock.json'))) return
  say(`installing the development packages${folder && ` of ${folder}`}`)
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error']
  await npm(['install', '--no-save', '--ignore-scripts', ...quiet], { cwd })
  utimesSync(installed, new Date(), new Date())
}

/** Installs what `requirements.txt` in a folder names beside it, unless that has been done. */
export async function installPythonPackages(folder) {
  const cwd = join(root, folder)
  const [installed, wanted] = [join(cwd, 'python_modules'), join(cwd, 'requirements.txt')]
  if (modified(installed) >= modified(wanted)) return
  need('python3')
  say(`installing the packages of Python of ${folder}`)
  const args = ['-m', 'pip', 'install', '--quiet', '--target', installed, '--upgrade']
  await run('python3', [...args, '--requirement', wanted])
  utimesSync(installed, new Date(), new Date())
}

const modified = file => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0

if (isMain(import.meta.url)) {
  await setUp().catch(error => {
    say(error.message)
    process.exitCode = 1
  })
}
