// When a cron comes around the changes of a zone, found by looking at each minute through
// `Intl.DateTimeFormat`: another calendar, another search and the rules of the guide's table, in as
// few words as possible. `schedule-zones.test.mjs` compares a sample; all of it:
//
//     node __test__/contract/zone-scan.mjs FILE
//
// goes through every change of every zone from 1990 to 2040, notes in FILE which zones it is
// through with, and goes on from there when it is called again.

import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { nextTimes } from '../../index.mjs'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
export const FIRST_YEAR = 1990
export const LAST_YEAR = 2040

/** How the clocks of a zone stand at a moment, as milliseconds of a calendar without zones. */
function clockOf(timeZone) {
  const parts = { year: 'numeric', month: 'numeric', day: 'numeric' }
  const time = { hour: 'numeric', minute: 'numeric', second: 'numeric', hourCycle: 'h23' }
  const format = new Intl.DateTimeFormat('en-US', { timeZone, ...parts, ...time })
  return ms => {
    const [month, day, year, hour, minute, second] = format.format(ms).match(/\d+/g).map(Number)
    return Date.UTC(year, month - 1, day, hour, minute, second)
  }
}

/** The first minutes after each change of the clocks of a zone. */
export function changesOf(zone) {
  const clock = clockOf(zone)
  const offset = ms => clock(ms) - ms
  const changes = []
  const end = Date.UTC(LAST_YEAR + 1, 0, 1)
  for (let from = Date.UTC(FIRST_YEAR, 0, 1); from < end; from += DAY) {
    if (offset(from) === offset(from + DAY)) continue
    let [before, after] = [from, from + DAY]
    while (after - before > MINUTE) {
      const middle = before + Math.floor((after - before) / MINUTE / 2) * MINUTE
      if (offset(middle) === offset(from)) before = middle
      else after = middle
    }
    changes.push(after)
  }
  return changes
}

const all = count => Array.from({ length: count }, (_, n) => n)
const every = (step, count) => all(count).filter(n => n % step === 0)
const isAny = () => true

/** A cron: its text, and the same said in another way. */
function cron(text, minutes, hours, { isStepped = false, isDay = isAny } = {}) {
  const [inMinutes, inHours] = [new Set(minutes), new Set(hours)]
  const isHourly = inHours.size === 24
  const has = clock => {
    const time = Math.floor(clock / MINUTE)
    const [minute, hour] = [time % 60, Math.floor(time / 60) % 24]
    return inMinutes.has(minute) && inHours.has(hour) && isDay(new Date(clock))
  }
  return { text, has, isHourly, repeats: isHourly || isStepped }
}

const isLastDay = date => new Date(date.getTime() + DAY).getUTCDate() === 1

const CRONS = [
  cron('* * * * *', all(60), all(24), { isStepped: true }),
  cron('*/15 * * * *', every(15, 60), all(24), { isStepped: true }),
  cron('7 * * * *', [7], all(24)),
  cron('0 */2 * * *', [0], every(2, 24)),
  cron('*/20 1-3 * * *', every(20, 60), [1, 2, 3], { isStepped: true }),
  cron('0,30 0,2,3,23 * * *', [0, 30], [0, 2, 3, 23]),
  cron('0 0 * * *', [0], [0]),
  cron('30 2 * * *', [30], [2]),
  cron('30 23 * * SAT', [30], [23], { isDay: date => date.getUTCDay() === 6 }),
  cron('0 12 L * *', [0], [12], { isDay: isLastDay }),
]

/** A cron at one time of the day, and one at that time of that day of the year. */
function cronsAt(clock) {
  const date = new Date(clock)
  const [minute, hour] = [date.getUTCMinutes(), date.getUTCHours()]
  const [day, month] = [date.getUTCDate(), date.getUTCMonth() + 1]
  const isDay = other => other.getUTCDate() === day && other.getUTCMonth() + 1 === month
  return [
    cron(`${minute} ${hour} * * *`, [minute], [hour]),
    cron(`${minute} ${hour} ${day} ${month} *`, [minute], [hour], { isDay }),
  ]
}

/** The minutes around a change, with what the clocks say. */
function minutesAround(zone, change) {
  const clock = clockOf(zone)
  const count = (4 * DAY) / MINUTE
  return all(count).map(n => {
    const at = change + n * MINUTE - 2 * DAY
    return { at, clock: clock(at) }
  })
}

/** When a cron comes in these minutes, by the guide's table. */
function scan({ has, isHourly, repeats }, minutes) {
  const seen = new Set()
  const times = []
  let before
  for (const { at, clock } of minutes) {
    let isSkipped = false
    for (let gone = before + MINUTE; gone < clock && !isHourly; gone += MINUTE) {
      isSkipped ||= has(gone)
    }
    const isNew = repeats || !seen.has(clock)
    if (isSkipped || (has(clock) && isNew)) times.push(at)
    seen.add(clock)
    before = clock
  }
  return times
}

/** The same by tasker. */
function asked(text, timezone, minutes) {
  const [first, last] = [minutes[0].at, minutes.at(-1).at]
  const times = []
  for (let from = first - 1; ; from = times.at(-1)) {
    const next = nextTimes(text, { timezone, from, count: 1_000 }).map(Number)
    const within = next.filter(at => at <= last)
    times.push(...within)
    if (within.length < 1_000) return times
  }
}

/** Whether tasker knows other changes of the clocks there than Node does. */
function isKnownOtherwise(timezone, minutes) {
  const often = new Map()
  for (const { clock } of minutes) often.set(clock, (often.get(clock) ?? 0) + 1)
  return minutes.some(({ at, clock }, n) => {
    if (n % 30 !== 0 || often.get(clock) > 1) return false
    const [{ text }] = cronsAt(clock)
    const [next] = nextTimes(text, { timezone, from: at - 1, count: 1 })
    return Number(next) !== at
  })
}

/** What is wrong around a change: texts; and whether the two know different changes there. */
export function compare(zone, change) {
  const minutes = minutesAround(zone, change)
  // The clocks at the change, as they were and as they are then.
  const index = minutes.findIndex(({ at }) => at === change)
  const [before, after] = [minutes[index - 1].clock + MINUTE, minutes[index].clock]
  const [low, high] = [Math.min(before, after), Math.max(before, after)]
  const middle = low + Math.floor((high - low) / MINUTE / 2) * MINUTE
  const times = [low - MINUTE, low, middle, high - MINUTE, high]
  const faults = []
  for (const one of [...CRONS, ...times.flatMap(cronsAt)]) {
    const expected = scan(one, minutes)
    const found = asked(one.text, zone, minutes)
    const isSame = expected.length === found.length && expected.every((at, n) => at === found[n])
    if (!isSame) faults.push(`${zone}, ${new Date(change).toISOString()}: ${one.text}`)
  }
  const isOther = faults.length > 0 && isKnownOtherwise(zone, minutes)
  return { faults: isOther ? [] : faults, isOther, crons: CRONS.length + times.length * 2 }
}

/** What was found of each zone, as `file` has it. */
function readFound(file) {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
  return new Map(lines.filter(Boolean).map(line => JSON.parse(line)))
}

/** Compares all changes of a zone. */
function compareAll(zone) {
  const found = { changes: 0, crons: 0, others: [], faults: [] }
  for (const change of changesOf(zone)) {
    const { faults, isOther, crons } = compare(zone, change)
    found.changes += 1
    found.crons += crons
    found.faults.push(...faults)
    if (isOther) found.others.push(new Date(change).toISOString())
  }
  return found
}

/** Goes through all zones that `file` does not have yet, and tells what was found of all. */
function goThroughAll(file) {
  const all = readFound(file)
  for (const zone of Intl.supportedValuesOf('timeZone').filter(zone => !all.has(zone))) {
    const found = compareAll(zone)
    appendFileSync(file, `${JSON.stringify([zone, found])}\n`)
    all.set(zone, found)
  }
  const total = { changes: 0, crons: 0, others: 0, faults: 0 }
  for (const [zone, { changes, crons, others, faults }] of all) {
    total.changes += changes
    total.crons += crons
    total.others += others.length
    total.faults += faults.length
    if (others.length > 0) console.log(`known otherwise: ${zone}, ${others.join(', ')}`)
    for (const fault of faults) console.log(`fault: ${fault}`)
  }
  console.log(`${all.size} zones, Node has tzdata ${process.versions.tz}`, total)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) goThroughAll(process.argv[2])
