// When a cron comes around the changes of the clocks, against a scan of the minutes: a sample of
// zones and changes. The seed is printed; SEED=… repeats one. How to compare all: `zone-scan.mjs`.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nextTimes } from '../../index.mjs'
import { randomOf, seed } from './random.mjs'
import { changesOf, compare } from './zone-scan.mjs'

const { below, pick } = randomOf(seed)
const zones = Intl.supportedValuesOf('timeZone')

/** Those at which clocks are known to go wrong, and some by chance. */
const sample = [
  'Africa/Cairo',
  'America/Asuncion',
  'America/Havana',
  'Asia/Beirut',
  'Australia/Lord_Howe',
  'Europe/Berlin',
  'Pacific/Apia',
  ...Array.from({ length: 12 }, () => pick(zones)),
]

test(`a cron comes once per time over the changes of the clocks, SEED=${seed}`, () => {
  const faults = []
  let compared = 0
  let others = 0
  for (const zone of sample) {
    const changes = changesOf(zone)
    const some = changes.length > 0 ? Array.from({ length: 3 }, () => pick(changes)) : []
    // A moment by chance, where the clocks mostly stay.
    const any = Date.UTC(1990 + below(50), below(12), 1 + below(28), below(24), below(60))
    for (const change of [...some, any]) {
      const { isOther, faults: found } = compare(zone, change)
      faults.push(...found)
      if (isOther) others += 1
      else compared += 1
    }
  }
  assert.deepEqual(faults, [])
  // Where Node has other data of a zone there is nothing to compare, and that is seldom.
  assert.ok(others * 10 < compared, `${others} of ${compared + others} are known otherwise`)
})

test('every zone of Intl is known, in any case of letters', () => {
  for (const timezone of zones) {
    const options = { timezone, from: 0, count: 1 }
    const times = nextTimes('0 0 1 1 *', options)
    assert.equal(times.length, 1, timezone)
    const small = nextTimes('0 0 1 1 *', { ...options, timezone: timezone.toLowerCase() })
    assert.deepEqual(small, times, timezone)
  }
})
