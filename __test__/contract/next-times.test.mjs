// `nextTimes`: a look at a cron. What a cron means is held by the tests of the engine.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nextTimes, TaskerError } from '../../index.mjs'

const iso = dates => dates.map(date => date.toISOString())

test('it gives Dates, five after now by default, in UTC', () => {
  const before = Date.now()
  const times = nextTimes('* * * * *')
  assert.equal(times.length, 5)
  assert.ok(times.every(time => time instanceof Date))
  const first = Number(times[0])
  assert.equal(first % 60_000, 0)
  assert.ok(first > before && first <= Date.now() + 60_000)
  assert.ok(times.slice(1).every((time, n) => time - times[n] === 60_000))
  assert.ok(nextTimes('0 9 * * *').every(time => time.getUTCHours() === 9))
})

test('it takes a time zone, a count and where to begin', () => {
  const options = { timezone: 'Europe/Berlin', count: 3, from: new Date('2026-03-27T12:00:00Z') }
  const expected = [
    '2026-03-28T08:00:00.000Z',
    '2026-03-29T07:00:00.000Z',
    '2026-03-30T07:00:00.000Z',
  ]
  assert.deepEqual(iso(nextTimes('0 9 * * *', options)), expected)
  const from = Number(options.from)
  assert.deepEqual(iso(nextTimes('0 9 * * *', { ...options, from })), expected)
  assert.equal(nextTimes('* * * * * *', { count: 1_000, from }).length, 1_000)
  const exact = nextTimes('0 9 * * *', { from: new Date('2026-03-27T09:00:00Z'), count: 1 })
  assert.deepEqual(iso(exact), ['2026-03-28T09:00:00.000Z'], 'the times come after `from`')
  const undefinedCounts = { timezone: undefined, count: undefined, from: undefined }
  assert.equal(nextTimes('0 9 * * *', undefinedCounts).length, 5)
})

test('what is wrong is refused with its path', () => {
  const cases = [
    ['cron', undefined],
    ['cron', 7],
    ['cron', null],
    ['cron', ['* * * * *']],
    ['cron', '* * *'],
    ['cron', '0 0 30 2 *'],
    ['cron', '*/90 * * * *'],
    ['timezone', '* * * * *', { timezone: 'Europe/Nowhere' }],
    ['timezone', '* * * * *', { timezone: '+02:00' }],
    ['timezone', '* * * * *', { timezone: null }],
    ['count', '* * * * *', { count: 0 }],
    ['count', '* * * * *', { count: 1_001 }],
    ['count', '* * * * *', { count: '5' }],
    ['count', '* * * * *', { count: Number.NaN }],
    ['from', '* * * * *', { from: '2026-01-01' }],
    ['from', '* * * * *', { from: new Date(Number.NaN) }],
    ['tz', '* * * * *', { tz: 'UTC' }],
    ['options', '* * * * *', null],
    ['options', '* * * * *', 'UTC'],
    ['options', '* * * * *', new Map()],
  ]
  for (const [path, cron, options] of cases) {
    const isRefused = error => {
      assert.ok(error instanceof TaskerError)
      assert.deepEqual([error.code, error.path], ['TASKER_INVALID', path])
      return true
    }
    assert.throws(() => nextTimes(cron, options), isRefused, path)
  }
  const long = `0${' '.repeat(1_024)} 9 * * *`
  assert.throws(() => nextTimes(long), { code: 'TASKER_TOO_LARGE', path: 'cron' })
})

test('a message says what to write', () => {
  assert.throws(() => nextTimes('0 22-6 * * *'), /write "22-23,0-6"/)
  assert.throws(() => nextTimes('5/10 * * * *'), /write 5-59\/10/)
  assert.throws(() => nextTimes('0 0 * * L'), /no day of the week; write 0 to 7 or SUN to SAT/)
})
