// Where the store lies: what a path means, and what `:memory:` needs.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { json, text } from 'node:stream/consumers'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { folder, open, root } from '../contract/open.mjs'

const tasker = pathToFileURL(join(root, 'index.mjs'))

/** What a program of its own prints as JSON. */
async function printed(source, options) {
  const program = `import { Tasker } from '${tasker}'\n${source}`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    ...options,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [value, errors] = await Promise.all([json(child.stdout), text(child.stderr)])
  assert.equal(errors, '')
  return value
}

test('a relative path is taken from the working directory of the call', async () => {
  const [here, there] = [folder(), folder()]
  const program = there => `
    const made = ['tasks.db', './missing/../other.db'].map(store => new Tasker({ store }))
    const byDefault = new Tasker()
    process.chdir(${JSON.stringify(there)})
    for (const tasker of [...made, byDefault]) await tasker.close()
    console.log('true')`
  assert.equal(await printed(program(there), { cwd: here }), true)
  assert.deepEqual(readdirSync(here).sort(), ['other.db', 'tasker.db', 'tasks.db'])
  assert.deepEqual(readdirSync(there), [])
})

const MEMORY = `
  const tasker = new Tasker(':memory:')
  tasker.assignRunner('double', ({ data }) => 2 * data)
  await tasker.start()
  const uuid = await tasker.addTask({ operation: 'double', data: 21 })
  console.log(await tasker.waitForTaskOutputData(uuid))
  await tasker.close()`

test('a store in memory works without the temporary folder of the system', async () => {
  const missing = resolve(folder(), 'missing')
  const env = { ...process.env, TMPDIR: missing, TMP: missing, TEMP: missing }
  if (process.platform === 'win32') return
  assert.equal(await printed(MEMORY, { env }), 42)
  assert.equal(existsSync(missing), false)
})

test('a store in memory leaves nothing in the temporary folder', async () => {
  const temporary = join(folder(), 'tmp')
  mkdirSync(temporary)
  const env = { ...process.env, TMPDIR: temporary, TMP: temporary, TEMP: temporary }
  assert.equal(await printed(MEMORY, { env }), 42)
  assert.deepEqual(readdirSync(temporary), [])
})

test('a folder in which a process died can be copied, and the copy opened', async t => {
  if (process.platform !== 'linux') return t.skip('elsewhere a socket stays until the next open')
  const [original, copy] = [folder(), join(folder(), 'copy')]
  const crashed = `
    const tasker = new Tasker('tasks.db')
    await tasker.addTask({ operation: 'read-book' })
    console.log('true')
    setImmediate(() => process.kill(process.pid, 'SIGKILL'))`
  assert.equal(await printed(crashed, { cwd: original }), true)
  assert.ok(readdirSync(original).length > 1, 'what a crash leaves')
  cpSync(original, copy, { recursive: true })
  const tasker = open(t, { store: join(copy, 'tasks.db') })
  assert.equal(await tasker.countTasks({ status: 'new' }), 1)
})
