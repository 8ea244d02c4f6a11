// The metrics of a run, read by others: promtool of Prometheus, and the two parsers of its Python
// client. What they read is held against the events of that run.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EVENTS, NOBODY, scraped, scripted } from './prometheus/run.mjs'
import { parsed, promtool } from './prometheus/tools.mjs'

const ACCEPT = {
  text: 'text/plain;version=0.0.4',
  openmetrics: 'application/openmetrics-text;version=1.0.0',
}
/** The value of the only sample with this name and these labels; undefined if there is none. */
function valueIn(families, name, labels = {}) {
  const wanted = JSON.stringify(Object.entries(labels).sort())
  const found = families
    .flatMap(({ samples }) => samples)
    .filter(one => one.name === name)
    .filter(one => JSON.stringify(Object.entries(one.labels).sort()) === wanted)
  assert.ok(found.length < 2, `${name} ${wanted} is there twice`)
  return found[0]?.value
}

function checkSums(families, events) {
  for (const operation of ['mail', 'held', NOBODY]) {
    const value = (name, more) => valueIn(families, name, { operation, ...more })
    const seen = { ...Object.fromEntries(EVENTS.map(event => [event, 0])), ...events[operation] }
    assert.equal(value('tasker_tasks_added_total'), seen.added)
    assert.equal(value('tasker_adds_skipped_total'), seen['add.skipped'])
    assert.equal(value('tasker_runs_started_total'), seen.run)
    assert.equal(value('tasker_runs_ended_total', { outcome: 'retried' }), seen.retrying)
    for (const status of ['done', 'failed', 'aborted']) {
      assert.equal(value('tasker_tasks_ended_total', { status }), seen[status], status)
    }
  }
  const waits = (operation, reason) =>
    valueIn(families, 'tasker_store_waiting', { operation, reason })
  assert.equal(waits('mail', 'start-time'), 1)
  assert.equal(waits('held', 'limit'), 2)
  assert.equal(waits('down', 'circuit'), 1)
  assert.equal(waits('paused', 'paused'), 1)
  assert.equal(waits(NOBODY, 'no-runner'), 1)
  assert.equal(valueIn(families, 'tasker_runs_live', { operation: 'held' }), 1)
}

/** The histograms of a text: by name and labels, what is up to each bound, the count, the sum. */
function histogramsIn(families) {
  const all = new Map()
  for (const { name, samples } of families.filter(({ type }) => type === 'histogram')) {
    for (const { name: sample, labels, value } of samples) {
      const { le, ...others } = labels
      const key = `${name} ${JSON.stringify(others)}`
      const its = all.get(key) ?? { buckets: [] }
      all.set(key, its)
      if (le === undefined) its[sample.slice(name.length + 1)] = value
      else its.buckets.push([le === '+Inf' ? Infinity : Number(le), value])
    }
  }
  return all
}

/** Its counts never fall, and its sum is one that such counts can have. */
function checkHistogram(key, { buckets, count, sum }) {
  let [below, seen, least, most] = [0, 0, 0, 0]
  for (const [bound, upTo] of buckets) {
    assert.ok(upTo >= seen && bound > below, key)
    least += (upTo - seen) * below
    if (upTo > seen) most += (upTo - seen) * bound
    below = bound
    seen = upTo
  }
  assert.equal(buckets.at(-1)[0], Infinity, key)
  assert.equal(seen, count, key)
  // Sums of thousandths, as a computer adds them.
  assert.ok(sum >= least - 1e-6 && sum <= most + 1e-6, `${key}: ${least} ${sum} ${most}`)
}

test('Prometheus and its Python client read both formats, and read what happened', async t => {
  const { server, events } = await scripted(t)
  assert.deepEqual(events.mail, {
    added: 7,
    run: 7,
    retrying: 2,
    done: 4,
    failed: 1,
    'add.skipped': 2,
    aborted: 1,
  })
  const names = {}
  for (const [format, accept] of Object.entries(ACCEPT)) {
    const text = await scraped(server, accept)
    if (format === 'text') await promtool(['check', 'metrics'], text)
    const families = await parsed(format, text)
    names[format] = families.map(({ name }) => name)
    assert.equal(new Set(names[format]).size, families.length, 'no family is there twice')
    assert.ok(families.every(({ type, what }) => type !== 'unknown' && what !== ''))
    checkSums(families, events)
    const histograms = histogramsIn(families)
    for (const [key, histogram] of histograms) checkHistogram(key, histogram)
    const of = (name, operation) => histograms.get(`${name} ${JSON.stringify({ operation })}`)
    // One whole run of `held` has ended; its first start of each task was waited for.
    assert.equal(of('tasker_run_duration_seconds', 'mail').count, events.mail.run)
    assert.equal(of('tasker_run_duration_seconds', 'held').count, events.held.run - 1)
    assert.equal(of('tasker_task_wait_duration_seconds', 'mail').count, 5)
  }
  assert.deepEqual(names.text, names.openmetrics)
})
