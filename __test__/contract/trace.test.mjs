// The option `trace`: the trace in which a task is added.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { file, open, refused, started } from './open.mjs'

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const trace = { traceparent, tracestate: 'congo=t61rcWkgMzE,rojo=00f067aa0ba902b7' }

test('a runner gets the trace in each attempt, and the task keeps it', async t => {
  const seen = []
  const link = context => {
    seen.push(context.trace)
    if (context.attempt === 1) throw new Error('again')
  }
  const tasker = await started(t, { link })
  const uuid = await tasker.addTask({ operation: 'link', data: 1, trace, retry: 2 })
  const plain = await tasker.addTask({ operation: 'link', retry: 2 })
  await tasker.waitForTaskOutputData(uuid)
  await tasker.waitForTaskOutputData(plain)
  const shown = seen.map(one => one?.traceparent ?? 'none').sort()
  assert.deepEqual(shown, [traceparent, traceparent, 'none', 'none'])
  assert.deepEqual(
    seen.find(one => one),
    trace,
  )
  const found = await tasker.findTasks({ 'trace.traceparent': traceparent })
  assert.deepEqual(
    found.map(one => [one.uuid, one.trace]),
    [[uuid, trace]],
  )
  assert.equal('trace' in (await tasker.getTask(plain)), false)
})

test('a trace is there after the file was opened again, and in another tasker', async t => {
  const store = file()
  const first = open(t, { store })
  const uuid = await first.addTask({ operation: 'link', trace: { traceparent } })
  await first.close()
  const second = open(t, { store })
  assert.deepEqual((await second.getTask(uuid)).trace, { traceparent })
  assert.deepEqual(await second.findTask({ uuid }, { fields: ['trace'] }), {
    trace: { traceparent },
  })
})

test('what is no trace is refused with its path', async t => {
  const tasker = open(t)
  const refusals = [
    ['00-1-2-3', 'trace'],
    [{}, 'trace.traceparent'],
    [{ traceparent: traceparent.toUpperCase() }, 'trace.traceparent'],
    [{ traceparent, tracestate: 7 }, 'trace.tracestate'],
    [{ traceparent, baggage: 'a=1' }, 'trace.baggage'],
  ]
  for (const [wrong, path] of refusals) {
    await refused(tasker.addTask({ operation: 'a', trace: wrong }), 'TASKER_INVALID', path)
  }
  const long = { traceparent, tracestate: 'x'.repeat(600) }
  await refused(tasker.addTask({ operation: 'a', trace: long }), 'TASKER_TOO_LARGE', 'trace')
  const adding = tasker.addTasks([{ operation: 'a' }, { operation: 'a', trace: {} }])
  await refused(adding, 'TASKER_INVALID', '[1].trace.traceparent')
  assert.equal(await tasker.countTasks(), 0)
  const uuid = await tasker.addTask({ operation: 'a' })
  await refused(tasker.updateTask(uuid, { trace }), 'TASKER_INVALID', 'trace')
})
