// Listeners to logs in three processes, while the processes that write them are killed.
// TASKER_LINES sets how many lines each task writes: 9000 makes more than 100,000.

import assert from 'node:assert/strict'
import process from 'node:process'
import { test } from 'node:test'
import { file, open } from '../contract/open.mjs'
import { opened, started } from './shared/far.mjs'

const LINES = Number(process.env.TASKER_LINES ?? 400)
const TASKS = 16
/** Listeners to each task, in this process and in two others. */
const HERE = 4
const [THERE, OTHERS] = [3, 2]
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

/** What listeners to these tasks hear, some for each. */
async function listen({ tasker }, { uuids, count }) {
  const heard = async uuid => {
    const lines = []
    for await (const { message } of tasker.listenTaskLogs(uuid, { fromBeginning: true })) {
      lines.push(message)
    }
    return lines
  }
  const listeners = uuid => Promise.all(Array.from({ length: count }, () => heard(uuid)))
  return await Promise.all(uuids.map(listeners))
}

test('listeners hear each stored line once while processes are killed (I-19)', async t => {
  const store = file()
  const tasker = open(t, { store })
  const task = { operation: 'chatty', onInterrupted: 'retry' }
  const uuids = await tasker.addTasks(Array.from({ length: TASKS }, () => task))
  const others = await Promise.all(Array.from({ length: OTHERS }, () => opened(t, { store })))
  const listening = [
    listen({ tasker }, { uuids, count: HERE }),
    ...others.map(far => far.do(listen, { uuids, count: THERE })),
  ]
  for (let kill = 0; kill <= KILLS; kill++) {
    const far = await started(t, { store, concurrency: 4 }, [])
    await far.do(write, LINES)
    if (kill === KILLS) break
    const first = tasker.listenTaskLogs(uuids[kill])
    await Promise.race([first.next(), ...uuids.map(uuid => ended(tasker, uuid))])
    far.kill('SIGKILL')
    await far.gone
  }
  const heard = await Promise.all(listening)
  let count = 0
  for (const [index, uuid] of uuids.entries()) {
    const { logs, status } = await tasker.getTask(uuid, { withLogs: true })
    assert.ok(status === 'done' || status === 'failed', status)
    const stored = logs.map(({ message }) => message)
    assert.ok(stored.length >= LINES || status === 'failed')
    for (const lines of heard.flatMap(of => of[index])) assert.deepEqual(lines, stored)
    count += stored.length
  }
  t.diagnostic(`${count} lines, each heard ${HERE + OTHERS * THERE} times in 3 processes`)
})

const ended = (tasker, uuid) => tasker.waitForTaskOutputData(uuid).catch(() => {})
