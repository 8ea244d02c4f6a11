// Tasks that end with the last tasker that runs their operation, over processes and kills.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { file, open } from '../contract/open.mjs'
import { opened, started } from './shared/far.mjs'

const MANY = 5_000

/** Offers operation `a`, of which nothing starts, and has so many tasks wait that lapse. */
async function wait({ tasker }, count) {
  await tasker.pauseOperation('a')
  tasker.assignRunner('a', () => {})
  const task = { operation: 'a', onStopWaiting: 'abort' }
  await tasker.addTasks(Array.from({ length: count }, () => task))
}

async function offer({ tasker }) {
  tasker.assignRunner('a', () => {})
  await tasker.start()
}

const stop = ({ tasker }) => tasker.stop()

const waiting = tasker => tasker.countTasks({ operation: 'a', status: 'new' })

/** Ten tasks wait for an operation that two processes offer. */
async function twoThatOffer(t) {
  const store = file()
  const looker = open(t, { store })
  const one = await started(t, { store }, [])
  await one.do(wait, 10)
  const two = await opened(t, { store }, [])
  await two.do(offer)
  return { store, looker, one, two }
}

test('a process that is killed ends nothing, whether another one is left or not', async t => {
  const { store, looker, one, two } = await twoThatOffer(t)
  await two.kill('SIGKILL')
  assert.equal(await waiting(looker), 10)
  await one.kill('SIGKILL')
  assert.equal(await waiting(looker), 10)
  const three = await opened(t, { store }, [])
  assert.equal(await waiting(looker), 10, 'who opens the file is no stop')
  await three.do(offer)
  await three.do(stop)
  assert.equal(await waiting(looker), 0)
})

test('a stop ends nothing while another process runs the operation', async t => {
  const { looker, one, two } = await twoThatOffer(t)
  await one.do(stop)
  assert.equal(await waiting(looker), 10)
  await one.start()
  await two.kill('SIGKILL')
  await one.do(stop)
  const causes = await looker.findTasks({ operation: 'a' }, { fields: ['cause'] })
  assert.deepEqual(new Set(causes.map(({ cause }) => cause)), new Set(['stop']))
  assert.equal(causes.length, 10)
})

test('whoever is killed while they end leaves the rest to the next stop', async t => {
  const store = file()
  const looker = open(t, { store, events: 'all' })
  const one = await started(t, { store }, [])
  await one.do(wait, MANY)
  const first = new Promise(resolve => looker.once('task.aborted', resolve))
  one.do(stop).catch(() => {})
  await first
  await one.kill('SIGKILL')
  const left = await waiting(looker)
  assert.ok(left < MANY, 'some have ended')
  assert.equal(left + (await looker.countTasks({ status: 'aborted', cause: 'stop' })), MANY)
  const two = await opened(t, { store }, [])
  await two.do(offer)
  await two.do(stop)
  assert.equal(await waiting(looker), 0)
  assert.deepEqual(await looker.verify(), { tasks: MANY, faults: [] })
})
