// Opens taskers for tests, each on a file of its own, and closes them when the test is over.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Tasker } from '../../index.mjs'

export const root = fileURLToPath(new URL('../..', import.meta.url))

const base = mkdtempSync(join(tmpdir(), 'tasker-'))
// Not after each test: a tasker must be closed before its file goes.
after(() => rmSync(base, { recursive: true, force: true }))

/** A folder that is removed when the tests of this file are over. */
export const folder = () => mkdtempSync(join(base, 'test-'))

/** The path of a file that does not exist yet. */
export const file = () => join(folder(), 'tasks.db')

/** A tasker that is closed after the test; what still runs then is given back at once. */
export function open(t, options = {}) {
  const tasker = new Tasker({ store: ':memory:', ...options })
  t.after(() => tasker.close({ onStop: 'postpone' }))
  return tasker
}

/** A tasker with these runners, started. */
export async function started(t, runners = {}, options = {}) {
  const tasker = open(t, { runners, ...options })
  await tasker.start()
  return tasker
}

/** A logger that keeps what it was told. */
export function keeper(more = {}) {
  const told = []
  const method =
    level =>
    (...args) =>
      told.push([level, ...args])
  const [debug, info, warn, error] = ['debug', 'info', 'warn', 'error'].map(method)
  return { told, logger: { debug, info, warn, error, ...more } }
}

/** A promise with its ends. */
export function pending() {
  const ends = {}
  ends.promise = new Promise((resolve, reject) => Object.assign(ends, { resolve, reject }))
  return ends
}

/** A runner that tells when it is called and waits to be let go. */
export function gate() {
  const calls = []
  const waiting = []
  const runner = context =>
    new Promise((resolve, reject) => {
      calls.push({ context, resolve, reject })
      waiting.shift()?.()
    })
  /** The n-th call, once it is there. */
  const call = async n => {
    while (calls.length <= n) await new Promise(resolve => waiting.push(resolve))
    return calls[n]
  }
  return { runner, calls, call }
}

/** Resolves with the arguments of the next event. */
export const next = (tasker, event) =>
  new Promise(resolve => tasker.once(event, (...args) => resolve(args)))

/** Asserts that a promise rejects, and gives the error. */
export async function rejection(promise) {
  try {
    await promise
  } catch (error) {
    return error
  }
  return assert.fail('the promise did not reject')
}

/** Asserts that something is refused with a code and a path. */
export async function refused(promise, code, path) {
  const error = await rejection(promise)
  assert.equal(error.code, code, error.stack)
  assert.equal(error.name, 'TaskerError')
  if (path !== undefined) assert.equal(error.path, path, error.message)
  if (path) assert.ok(error.message.startsWith(path), error.message)
  return error
}

/** Runs a script in a process of its own: its output, code and signal. */
export async function run(script, { flags = [], env = {} } = {}) {
  const own = process.execArgv.filter(flag => flag.startsWith('--disable-proto'))
  const args = [...own, ...flags, '--input-type=module', '--eval', script]
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 300_000, // A script that hangs is killed, and its signal told.
  })
  const exit = new Promise(resolve =>
    child.once('exit', (code, signal) => resolve({ code, signal })),
  )
  const [out, err, end] = await Promise.all([text(child.stdout), text(child.stderr), exit])
  return { out, err, ...end }
}

/** Runs a script that must end by itself with code 0, and gives its output. */
export async function runs(script, options) {
  const { out, err, code, signal } = await run(script, options)
  assert.deepEqual({ code, signal }, { code: 0, signal: null }, err || out)
  return out
}

export const imports = "import { Tasker, TaskerError } from './index.mjs'\n"
