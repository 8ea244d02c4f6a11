// The examples as a user has them: copied into a folder where tasker and their packages are
// installed, compiled by their own tsconfig.json, and started.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { Tasker } from '../../index.mjs'
import { folder } from './installed.mjs'
import { root, tsc } from './program.mjs'

const examples = join(root, 'examples')
const read = path => JSON.parse(readFileSync(path, 'utf8'))

/** The packages that an example names beside tasker, with their versions. */
function packagesOf(name) {
  const { dependencies, devDependencies } = read(join(examples, name, 'package.json'))
  const { tasker, ...others } = { ...dependencies, ...devDependencies }
  assert.equal(tasker, `^${read(join(root, 'package.json')).version}`)
  return others
}

/** Copies the sources of an example; names in `leaveOut` stay behind. */
export function copyExample(name, to, leaveOut = []) {
  const isWanted = path => !['node_modules', 'dist', ...leaveOut].includes(basename(path))
  cpSync(join(examples, name), to, { recursive: true, filter: isWanted })
}

/** Where `npm test` and `npm run test:systems` install packages. */
const installations = ['.', 'package', 'vitest', 'systems/nest', 'systems/jest'].map(path =>
  join(root, path === '.' ? '' : '__test__', path, 'node_modules'),
)

/** Looks that a package which is installed has the major version that an example names. */
function checkVersion(path, version) {
  const [major] = version.replace(/^\D+/, '').split('.')
  assert.equal(read(join(path, 'package.json')).version.split('.')[0], major, path)
}

/** Looks that a folder of packages has what an example names. */
export function checkVersions(name, packages) {
  for (const [dependency, version] of Object.entries(packagesOf(name))) {
    checkVersion(join(packages, dependency), version)
  }
}

/** Puts a package into the folder, as `npm install` would. */
function install(name, version) {
  const from = installations.map(path => join(path, name)).find(existsSync)
  assert.ok(from, `${name} is not installed: \`npm test\` and \`npm run test:systems\` do that`)
  checkVersion(from, version)
  const to = join(folder, 'node_modules', name)
  if (existsSync(to)) return
  mkdirSync(dirname(to), { recursive: true })
  symlinkSync(from, to, 'junction')
}

/** Compiles an example with its packages. The function gives each test a copy of its own. */
export function compileExample(name, leaveOut = []) {
  const compiled = join(folder, name)
  copyExample(name, compiled, leaveOut)
  for (const [dependency, version] of Object.entries(packagesOf(name))) {
    if (!leaveOut.includes(dependency)) install(dependency, version)
  }
  tsc(['-p', '.'], compiled)
  return () => {
    const copy = mkdtempSync(join(folder, `${name}-`))
    cpSync(compiled, copy, { recursive: true })
    return copy
  }
}

/** Compiles the programs of one file; gives their folder. */
export function compilePrograms() {
  const to = join(folder, 'programs')
  mkdirSync(to)
  for (const name of readdirSync(examples).filter(name => /\.mts$|^tsconfig/.test(name))) {
    cpSync(join(examples, name), join(to, name))
  }
  install('@types/node', '20')
  install('@types/better-sqlite3', '7')
  install('better-sqlite3', '12')
  tsc(['-p', '.'], to)
  return join(to, 'dist')
}

/** Starts a script: its lines as they come, its input, and how it ends. */
export function start(t, script, { args = [], flags = [], ...options } = {}) {
  const child = spawn(process.execPath, [...flags, script, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: 300_000,
    ...options,
  })
  t.after(() => child.kill('SIGKILL'))
  const end = new Promise(resolve => child.once('close', (code, signal) => resolve(signal ?? code)))
  const lines = child.stdout && createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const line = async () => (await lines.next()).value
  const rest = async () => {
    const all = []
    for (let next = await line(); next !== undefined; next = await line()) all.push(next)
    return all
  }
  return { child, end, line, rest }
}

/** What lies in a store that nobody has open. */
export async function tasksOf(store) {
  const tasker = new Tasker(store)
  const tasks = await tasker.findTasks({}, { sort: { seq: 1 } })
  await tasker.close()
  return tasks
}
