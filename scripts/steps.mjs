// Runs the programs behind a verb and says how it went.
// Node built-ins only: this runs before anything is installed.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of the package. */
export const root = fileURLToPath(new URL('..', import.meta.url))

/** Whether a script was started by itself, not imported: `isMain(import.meta.url)`. */
export const isMain = url =>
  process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(url)

/** Tells the developer something, beside the output of programs. */
export function say(text) {
  process.stderr.write(`tasker: ${text}\n`)
}

/** Where to get the tools that npm does not bring. */
const sources = {
  cargo: 'Rust 1.95 or newer, from rustup.rs',
  cc: 'a C compiler, for SQLite: apt-get install build-essential, or xcode-select --install',
  'redis-server': 'Redis 7 or newer: apt-get install redis-server',
  python3: 'Python 3 with pip: apt-get install python3-pip',
}

/** Whether a tool is installed. */
export function has(tool, ...args) {
  return spawnSync(tool, args.length ? args : ['--version'], { stdio: 'ignore' }).status === 0
}

/** Refuses to go on without a tool, and says how to get it. */
export function need(tool) {
  if (!has(tool)) throw new Error(`${tool} is missing; install ${sources[tool]}`)
}

/** Runs a program in the package's folder; resolves with its output if `capture` is asked for. */
export function run(program, args, { capture = false, ...options } = {}) {
  return new Promise((resolve, reject) => {
    const stdio = ['ignore', capture ? 'pipe' : 'inherit', 'inherit']
    const child = spawn(program, args, { cwd: root, stdio, ...options })
    const chunks = []
    child.stdout?.on('data', chunk => chunks.push(chunk))
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (code === 0) resolve(Buffer.concat(chunks).toString())
      else reject(new Error(`${program} ${args.join(' ')} ended with ${signal ?? code}`))
    })
  })
}

/** Runs a script of this Node.js. */
export const node = (args, options) => run(process.execPath, args, options)

/** Runs the npm that started this script, or else the one on the path. */
export function npm(args, options) {
  const cli = process.env.npm_execpath
  return cli?.endsWith('.js') ? node([cli, ...args], options) : run('npm', args, options)
}

/** Lets node-gyp take the headers of this Node.js, if it brought them, not those of a server. */
export function withHeaders() {
  const prefix = dirname(dirname(process.execPath))
  if (!existsSync(join(prefix, 'include/node/node_api.h'))) return process.env
  return { npm_config_nodedir: prefix, ...process.env }
}

/** Runs cargo; the words are one text. */
export const cargo = words => run('cargo', words.split(' '))

/**
 * The Rust crates that are tested. What is built of them is always built of all: with another
 * choice others would say which features what they share has, and it would be compiled anew.
 */
const crates = '--workspace --exclude tasker --features task/full'

/** Runs the tests of the Rust crates, with nextest if it is installed, and those of their pages. */
export async function rustTests() {
  if (!has('cargo', 'nextest', '--version')) return cargo(`test ${crates} --no-fail-fast`)
  await cargo(`nextest run ${crates} --no-fail-fast`)
  // Nextest runs none of them.
  await cargo(`test ${crates} --doc`)
}

/** Runs the tests of the store on Redis, on servers that they start. */
export const redisTests = () =>
  cargo(`test --quiet ${crates},tasker-proof/redis --test redis --test link`)

/** Builds a program of the Rust crates as their tests do, and gives its place. */
export async function rustProgram(name) {
  await cargo(`test --quiet ${crates} --no-run`)
  const metadata = ['metadata', '--no-deps', '--format-version', '1']
  const { target_directory } = JSON.parse(await run('cargo', metadata, { capture: true }))
  return join(target_directory, 'debug', name)
}

/** Builds the queue with faults in it, one after the other, and sees that tests notice each. */
export const rustFaults = () =>
  cargo(
    `test --quiet ${crates},tasker-core/faults,tasker-proof/faults ` +
      '--test dispatch_faults --test random deliberate',
  )

/**
 * Runs steps in order: `{ name, seconds, run }` each, with how long it takes on two idle cores once
 * all is compiled. Says first what is to come, stops at the first that fails, and closes with a
 * table of times and, if all went well, with some last words.
 */
export async function runSteps(steps, { last } = {}) {
  announce(steps)
  const rows = []
  for (const { name, run } of steps) {
    say(name)
    const begin = performance.now()
    const error = await run().then(
      () => undefined,
      fault => fault,
    )
    rows.push(`  ${error ? 'FAILED' : 'ok    '}  ${time(performance.now() - begin)}  ${name}`)
    if (error) return finish(rows, error)
  }
  finish(rows)
  if (last) say(last)
}

function announce(steps) {
  const total = steps.reduce((sum, { seconds }) => sum + seconds, 0)
  const rows = steps.map(({ name, seconds }) => `  ${time(seconds * 1000)}  ${name}`)
  say(`${Math.ceil(total / 60)} minutes on two idle cores; the first time longer, to compile`)
  process.stderr.write(`${rows.join('\n')}\n\n`)
}

function finish(rows, error) {
  process.stderr.write(`\n${rows.join('\n')}\n\n`)
  if (error) say(error.message)
  process.exitCode = error ? 1 : 0
}

const time = ms => `${(ms / 1000).toFixed(1)} s`.padStart(8)

/**
 * Runs programs side by side, `[program, ...arguments]` each, and shows the output of each when it
 * ends. Waits for all, whichever fail.
 */
export async function sideBySide(programs) {
  const ends = await Promise.allSettled(
    programs.map(async ([program, ...args]) => {
      const stdio = ['ignore', 'pipe', 'pipe']
      const child = spawn(program, args, { cwd: root, stdio })
      const chunks = []
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', chunk => chunks.push(chunk))
      }
      const [code, signal] = await once(child, 'close')
      process.stderr.write(Buffer.concat(chunks))
      if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${signal ?? code}`)
    }),
  )
  const faults = ends.filter(({ reason }) => reason).map(({ reason }) => reason.message)
  if (faults.length > 0) throw new Error(faults.join('\n'))
}
