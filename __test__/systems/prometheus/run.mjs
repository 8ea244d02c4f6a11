// A run in which tasks end, or wait, in every way, and what its server says of it.

import assert from 'node:assert/strict'
import { listening } from '../../contract/http.mjs'
import { file, gate, rejection } from '../../contract/open.mjs'

export const EVENTS = ['added', 'add.skipped', 'run', 'retrying', 'done', 'failed', 'aborted']
/** A name that must be escaped. */
export const NOBODY = 'nobody "knows"\\ it\n'

/** Keeps the events of a tasker; what this gives counts them, by name and operation. */
function counted(tasker) {
  const events = []
  for (const event of EVENTS) tasker.on(`task.${event}`, uuid => events.push([event, uuid]))
  return async () => {
    const counts = {}
    for (const [event, uuid] of events) {
      const { operation } = await tasker.getTask(uuid)
      counts[operation] ??= {}
      counts[operation][event] = (counts[operation][event] ?? 0) + 1
    }
    return counts
  }
}

/** Adds tasks of `mail`, which end in every way, or are there already, or wait for their time. */
async function send(tasker) {
  tasker.assignRunner('mail', ({ data, attempt }) => {
    if (data.fails >= attempt) throw new Error('no such address')
    return 'sent'
  })
  const mail = (data, more = {}) => ({ operation: 'mail', data, ...more })
  const retry = { attempts: 3, backoff: { type: 'fixed', delay: 1 } }
  const uuids = await tasker.addTasks([
    ...[{}, {}, {}, { fails: 9 }].map(data => mail(data)),
    mail({ fails: 2 }, { retry }),
  ])
  await Promise.allSettled(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
  const late = { delay: '1h', unique: { key: 'a' } }
  for (let n = 0; n < 3; n += 1) await tasker.addTask(mail({}, late))
  await tasker.abortTask(await tasker.addTask(mail({}, { delay: '1h' })))
}

/** Leaves a task of `held` that runs, one that was aborted as it ran, and two behind the limit. */
async function hold(tasker) {
  const { runner, call } = gate()
  tasker.assignRunner('held', runner, { concurrency: 1 })
  const aborted = await tasker.addTask({ operation: 'held' })
  const first = await call(0)
  await tasker.abortTask(aborted)
  first.reject(first.context.abortSignal.reason)
  await rejection(tasker.waitForTaskOutputData(aborted))
  await tasker.addTasks([{ operation: 'held' }, { operation: 'held' }, { operation: 'held' }])
  await call(1)
}

/** Leaves an operation that is paused, and one whose circuit is open. */
async function halt(tasker) {
  const circuitBreaker = { failures: 1, within: '1h', openFor: '1h' }
  const runner = () => {
    throw new Error('it is down')
  }
  tasker.assignRunner('down', runner, { circuitBreaker })
  await rejection(tasker.waitForTaskOutputData(await tasker.addTask({ operation: 'down' })))
  await tasker.pauseOperation('paused')
  await tasker.addTasks([{ operation: 'down' }, { operation: 'paused' }])
}

/** A tasker that listens, after all that, with the counts of its events. */
export async function scripted(t) {
  const { tasker, server } = await listening(t, { store: file() })
  const counts = counted(tasker)
  await tasker.start()
  await send(tasker)
  await hold(tasker)
  await halt(tasker)
  await tasker.addTask({ operation: NOBODY })
  return { tasker, server, events: await counts() }
}

/** What a server answers to who accepts this. */
export async function scraped({ url, token }, accept) {
  const headers = { authorization: `Bearer ${token}`, accept }
  const response = await fetch(`${url}/metrics`, { headers })
  assert.equal(response.status, 200)
  assert.equal(response.headers.get('content-type').split(';')[0], accept.split(';')[0])
  return await response.text()
}
