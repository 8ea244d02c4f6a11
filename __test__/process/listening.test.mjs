// Listeners to logs while the processes that write them are killed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { file, open } from '../contract/open.mjs'
import { started } from './shared/far.mjs'

const TASKS = 6
const LINES = 400
const LISTENERS = 10
const KILLS = 3

/** A runner that writes lines, and rests in between so that it is killed in the middle. */
async function write({ runners, tasker }, lines) {
  runners.chatty = async ({ logger, attempt }) => {
    for (let n = 0; n < lines; n++) {
      logger.info(`${attempt}:${n}`)
      if (n % 40 === 0) await new Promise(resolve => setImmediate(resolve))
    }
  }
  tasker.assignRunner('chatty', runners.chatty)
}

async function heard(tasker, uuid) {
  const lines = []
  for await (const { message } of tasker.listenTaskLogs(uuid, { fromBeginning: true })) {
    lines.push(message)
  }
  return lines
}

test('listeners hear each stored line once while processes are killed (I-19)', async t => {
  const store = file()
  const tasker = open(t, { store })
  const task = { operation: 'chatty', onInterrupted: 'retry' }
  const uuids = await tasker.addTasks(Array.from({ length: TASKS }, () => task))
  const listeners = uuids.map(uuid =>
    Promise.all(Array.from({ length: LISTENERS }, () => heard(tasker, uuid))),
  )
  for (let kill = 0; kill <= KILLS; kill++) {
    const far = await started(t, { store, concurrency: 2 }, [])
    await far.do(write, LINES)
    if (kill === KILLS) break
    const first = tasker.listenTaskLogs(uuids[kill])
    await Promise.race([first.next(), ...uuids.map(uuid => ended(tasker, uuid))])
    far.kill('SIGKILL')
    await far.gone
  }
  for (const [index, uuid] of uuids.entries()) {
    const heardOf = await listeners[index]
    const { logs, status } = await tasker.getTask(uuid, { withLogs: true })
    assert.ok(status === 'done' || status === 'failed', status)
    const stored = logs.map(({ message }) => message)
    assert.ok(stored.length >= LINES || status === 'failed')
    for (const lines of heardOf) assert.deepEqual(lines, stored)
  }
})

const ended = (tasker, uuid) => tasker.waitForTaskOutputData(uuid).catch(() => {})
