// What those have who read metrics: promtool of Prometheus, and the parsers of its Python client.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

const own = name => fileURLToPath(new URL(name, import.meta.url))

/** Runs a program on a text: its exit code, and what it said. */
async function run(program, args, input = '', env = {}) {
  const child = spawn(program, args, { env: { ...process.env, ...env } })
  child.stdin.on('error', () => {}) // It may end before it has read all.
  child.stdin.end(input)
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ])
  return { code, out, err }
}

/** Runs promtool, which must find nothing to complain of; gives what it said. */
export async function promtool(args, input) {
  const { code, out, err } = await run('promtool', args, input)
  assert.deepEqual({ code, err }, { code: 0, err: '' }, `${out}\n${err}`)
  return out
}

/** The families of a text, as Python reads them: `text` or `openmetrics`. */
export async function parsed(format, input) {
  const args = [own('parse.py'), format]
  const env = { PYTHONPATH: own('python_modules') }
  const { code, out, err } = await run('python3', args, input, env)
  assert.equal(code, 0, err)
  return JSON.parse(out)
}
