// The instruments of the option `telemetry`, with the SDK that users have.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as api from '@opentelemetry/api'
import { DataPointType, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import { open, runs, started } from './open.mjs'

/** Collects when it is told to, as a reader does that is scraped. */
class Reader extends MetricReader {
  async onShutdown() {}
  async onForceFlush() {}
}

/** An api whose metrics go to a reader of its own, and what that reads. */
function collector(t) {
  const reader = new Reader()
  const provider = new MeterProvider({ readers: [reader] })
  t.after(() => provider.shutdown())
  const telemetry = { ...api, metrics: provider }
  /** By name, the metrics, with the values by the attributes. */
  const collect = async () => {
    const { resourceMetrics, errors } = await reader.collect()
    assert.deepEqual(errors, [])
    const all = resourceMetrics.scopeMetrics.flatMap(({ scope, metrics }) => {
      assert.equal(scope.name, 'tasker')
      return metrics
    })
    return Object.fromEntries(
      all.map(({ descriptor, dataPointType, dataPoints }) => {
        const pairs = dataPoints.map(({ attributes, value }) => {
          const words = Object.entries(attributes).map(([name, word]) => `${name}=${word}`)
          return [words.join(' '), value]
        })
        const isCounter = dataPointType === DataPointType.SUM
        return [descriptor.name, { isCounter, unit: descriptor.unit, ...Object.fromEntries(pairs) }]
      }),
    )
  }
  return { telemetry, collect }
}

test('instruments show what metrics tell', async t => {
  const { telemetry, collect } = collector(t)
  const fail = () => {
    throw new Error('no such address')
  }
  const tasker = await started(t, { mail: fail, greet: () => 'hello' }, { telemetry })
  const uuids = await tasker.addTasks([
    { operation: 'mail' },
    { operation: 'greet' },
    { operation: 'greet' },
    { operation: 'nobody' },
  ])
  await Promise.allSettled(uuids.slice(0, 3).map(uuid => tasker.waitForTaskOutputData(uuid)))
  const told = await tasker.metrics()
  const seen = await collect()
  const { mail, greet } = told.operations
  const added = { 'operation=greet': 2, 'operation=mail': 1, 'operation=nobody': 1 }
  assert.deepEqual(seen['tasker.tasks.added'], { isCounter: true, unit: '', ...added })
  const ended = seen['tasker.tasks.ended']
  assert.equal(ended['operation=mail status=failed'], mail.ended.failed)
  assert.equal(ended['operation=greet status=done'], greet.ended.done)
  assert.equal(seen['tasker.runs.ended']['operation=mail outcome=failed'], 1)
  const sum = seen['tasker.run.duration.sum']
  assert.deepEqual([sum.isCounter, sum.unit], [true, 's'])
  assert.equal(sum['operation=greet'], greet.duration.sum / 1_000)
  assert.equal(seen['tasker.run.duration.count']['operation=greet'], 2)
  assert.equal(seen['tasker.runs.limit'][''], told.process.concurrency)
  const waiting = seen['tasker.store.waiting']
  assert.deepEqual(waiting, { isCounter: false, unit: '', 'operation=nobody reason=no-runner': 1 })
  const next = seen['tasker.store.next_ready_age']
  assert.ok(next['operation=nobody'] >= 0)
  assert.equal(next['operation=mail'], 0)
  assert.equal(seen['tasker.store.processes'][''], 1)
  await tasker.addTask({ operation: 'nobody' })
  const later = await collect()
  assert.equal(later['tasker.tasks.added']['operation=nobody'], 2)
})

test('what nothing waits for any more is told as 0', async t => {
  const { telemetry, collect } = collector(t)
  const tasker = await started(t, {}, { telemetry })
  const uuid = await tasker.addTask({ operation: 'greet' })
  const waiting = async () => (await collect())['tasker.store.waiting']
  const reason = 'operation=greet reason=no-runner'
  assert.equal((await waiting())[reason], 1)
  tasker.assignRunner('greet', () => 'hello')
  assert.equal(await tasker.waitForTaskOutputData(uuid), 'hello')
  for (let n = 0; n < 2; n += 1) assert.equal((await waiting())[reason], 0)
  assert.equal((await collect())['tasker.store.next_ready_age']['operation=greet'], 0)
})

test('requests of HTTP are shown by route and code', async t => {
  const { telemetry, collect } = collector(t)
  const tasker = open(t, { telemetry })
  const { fetch: answer } = tasker.http({ access: () => 'read' })
  await answer(new Request('http://a/health/live'))
  const seen = await collect()
  assert.equal(seen['tasker.http.requests']['route=health/live code=200'], 1)
})

test('a tasker that is closed is asked no more, and another one begins anew', async t => {
  const { telemetry, collect } = collector(t)
  const tasker = open(t, { telemetry })
  await tasker.addTasks([{ operation: 'mail' }, { operation: 'mail' }])
  assert.equal((await collect())['tasker.tasks.added']['operation=mail'], 2)
  const closing = tasker.close()
  await collect()
  await closing
  // The SDK goes on with what was told last.
  assert.equal((await collect())['tasker.tasks.added']['operation=mail'], 2)
  const next = open(t, { telemetry })
  await next.addTask({ operation: 'mail' })
  assert.equal((await collect())['tasker.tasks.added']['operation=mail'], 1)
})

test('without metrics in the api, and without an SDK, there are none', async t => {
  for (const telemetry of [{ ...api, metrics: undefined }, api]) {
    const tasker = await started(t, { greet: () => 'hello' }, { telemetry })
    const uuid = await tasker.addTask({ operation: 'greet' })
    assert.equal(await tasker.waitForTaskOutputData(uuid), 'hello')
  }
})

test('instruments keep no forgotten tasker, and no process alive', async () => {
  const script = `
import * as api from '@opentelemetry/api'
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import { Tasker } from './index.mjs'
class Reader extends MetricReader {
  async onShutdown() {}
  async onForceFlush() {}
}
const reader = new Reader()
const telemetry = { ...api, metrics: new MeterProvider({ readers: [reader] }) }
const forgotten = new WeakRef(await (async () => {
  const tasker = new Tasker({ store: ':memory:', telemetry })
  await tasker.ready()
  return tasker
})())
while (forgotten.deref()) {
  await new Promise(resolve => setImmediate(resolve))
  gc()
}
const { resourceMetrics } = await reader.collect()
console.log(resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics).length)
const other = new Tasker({ store: ':memory:', telemetry })
await other.ready()
`
  assert.equal(await runs(script, { flags: ['--expose-gc'] }), '0\n')
})
