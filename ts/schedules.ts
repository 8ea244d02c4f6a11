/**
 * Schedules: what is asked of the engine, and what it says of them, with Dates.
 *
 * # Left to others
 * What a cron, an interval and a time zone mean, and every rule of ticks: the engine.
 *
 * Proof: `__test__/contract/schedules.test.mjs`.
 */

import type { Schedule } from '../index'
import type { Bridge } from './bridge'
import type { Bounds } from './calls'
import { type Answers, type Command, type DocumentJson, JsonText } from './commands'
import { invalid, TaskerError } from './errors'
import { dateOf, stringify } from './globals'
import { type Loose, objectOf } from './objects'
import { definitionText, jsonOf, momentOf, only } from './options'
import type { Schemas } from './schemas'

/** What a schedule may say, but for its id and its task. */
const RULE = ['cron', 'every', 'timezone', 'overlap', 'missed', 'jitter', 'startAt', 'endAt']
const MEMBERS = [...RULE, 'limit', 'task']
const MOMENTS = ['startAt', 'endAt']

/** What users of other schedulers call what is meant. */
const meant = {
  name: 'id is meant',
  key: 'id is meant',
  pattern: 'cron is meant',
  interval: 'every is meant',
  tz: 'timezone is meant',
  runOnInit: 'call triggerSchedule beside it',
  immediately: 'call triggerSchedule beside it',
  operation: 'it stands in the task: { task: { operation, data } }',
  data: 'it stands in the task: { task: { operation, data } }',
  until: 'endAt is meant',
  maxRuns: 'limit is meant',
}

/** The command that makes a schedule, or says something else of it. */
export function addSchedule(given: unknown, schemas: Schemas) {
  const members = only(objectOf(given, 'schedule'), ['id', ...MEMBERS], 'schedule', { meant })
  const id = idOf(members.id)
  return { do: 'addSchedule', id, spec: specText(members, schemas) } as const
}

/** The command that changes what is said of one. */
export function updateSchedule(id: unknown, given: unknown, schemas: Schemas) {
  const members = only(objectOf(given, 'patch'), MEMBERS, 'patch', { meant })
  return { do: 'updateSchedule', id: idOf(id), patch: specText(members, schemas) } as const
}

/** The command that lets one pass its ticks, or go on. */
export const pauseSchedule = (id: unknown, pauses: boolean) =>
  ({ do: 'pauseSchedule', id: idOf(id), pauses }) as const

/** The command that adds the task of one now. */
export function triggerSchedule(id: unknown, given: unknown): Command & { do: 'triggerSchedule' } {
  const { overlap } = only(given, ['overlap'], 'options')
  const text = overlap === undefined ? undefined : new JsonText(jsonOf(overlap))
  return { do: 'triggerSchedule', id: idOf(id), overlap: text }
}

/** The command that removes one. */
export const removeSchedule = (id: unknown) => ({ do: 'removeSchedule', id: idOf(id) }) as const

/** What a caller calls a schedule. */
function idOf(value: unknown): string {
  if (typeof value === 'string' && value !== '') return value
  throw invalid('id', 'must be a string that is not empty')
}

/** The JSON text of what is said; absent is what is `undefined`. */
function specText(members: Loose, schemas: Schemas): JsonText {
  const texts = MEMBERS.flatMap(word => {
    const value = members[word]
    if (value === undefined) return []
    const text = word === 'task' ? taskText(value, schemas) : jsonOf(judged(word, value))
    return [`"${word}":${text}`]
  })
  return new JsonText(`{${texts.join(',')}}`)
}

const judged = (word: string, value: unknown) => (MOMENTS.includes(word) ? momentOf(value) : value)

/** The definition of the task, as `addTask` takes it; what is wrong has its path below `task`. */
function taskText(given: unknown, schemas: Schemas): string {
  if (given === false) throw invalid('task', 'must be what addTask takes')
  const { abortSignal } = objectOf(given, 'task')
  if (abortSignal !== undefined) {
    throw invalid('task.abortSignal', 'a schedule outlives this process; call abortTask')
  }
  try {
    const text = definitionText(given)
    schemas.checkData(given, 'task.')
    return text
  } catch (error) {
    throw within(error)
  }
}

function within(error: unknown): unknown {
  if (!(error instanceof TaskerError) || error.path === undefined) return error
  const { code, message, path } = error
  if (path === 'task' || path.startsWith('task.')) return error
  const cause = 'cause' in error ? { cause: error.cause } : {}
  return new TaskerError(code, `task.${message}`, { path: `task.${path}`, ...cause })
}

/** All schedules by id, or the one with this id, read a page at a time. */
export async function schedulesOf(bridge: Bridge, id: unknown, bounds: Bounds) {
  const found: Schedule[] = []
  const only = id === undefined ? undefined : idOf(id)
  let from: string | null = only ?? ''
  while (from !== null) {
    const page: Answers['schedules'] = await bridge.read({ do: 'schedules', from }, bounds)
    const [documents, next] = page
    found.push(...documents.map(revive))
    from = only === undefined ? next : null
  }
  return only === undefined ? found : found.filter(one => one.id === only)
}

/** Revives one in place. */
function revive(document: DocumentJson): Schedule {
  for (const word of ['startAt', 'endAt', 'nextAt', 'lastAt', 'pausedAt']) {
    const ms = document[word]
    if (typeof ms === 'number') document[word] = dateOf(ms)
  }
  document.nextTimes = (document.nextTimes as number[]).map(ms => dateOf(ms))
  const task = document.task as Loose
  if (typeof task.priority === 'string') task.priority = Number(task.priority)
  return document as unknown as Schedule
}

/** What to say of a tick that made no task. */
export const refusedText = (schedule: string, at: number, why: string): string =>
  `the schedule ${stringify(schedule)} made no task at ${dateOf(at).toISOString()}: ${why}`
