/**
 * The shapes of arguments: unknown keys are refused with their path, everything else is passed on.
 *
 * # Left to others
 * What values mean and which are allowed: the engine checks what it uses itself.
 *
 * Proof: `__test__/contract/options.test.mjs`, `__test__/border/payloads.test.mjs`.
 */

import { types } from 'node:util'
import type { LogLevel, LogOptions, StopOptions, TaskerOptions, TraceContext } from '../index'
import { serialisePostponement } from './aborts'
import { isBare } from './bounded-json'
import { JsonText } from './commands'
import { conditionsOf } from './conditions'
import { CALL_BYTES_MAX, LEVELS, TASK_WORDS, TASKS_PER_CALL_MAX } from './constants'
import { type EngineLog, engineLogOf } from './engine-logger'
import { invalid, refusal, spell, TaskerError, unwritable } from './errors'
import { parse, stringify } from './globals'
import { isLongerThan } from './json-size'
import type { KeepAliveMode } from './keepalive'
import { LogMirror } from './log-mirror'
import type { PriorityJson } from './messages'
import { native, version } from './native'
import { functionsOf, isPlain, type Loose, objectOf, refuseForeign } from './objects'
import { payloadText, refuseEmptied, TASK_CHARS_MAX } from './payload'
import { plainQuery } from './query'
import { signalOf } from './signals'
import { isUrl, storeOf } from './store-path'
import { Telemetry, telemetryApiOf } from './telemetry'
import { moduleOf } from './thread-pool'

/** What the constructor needs to know. */
export interface OpenOptions {
  /** The text for the engine. */
  text: string
  /** The path of the store, if it is a file. */
  storePath: string | undefined
  /** What must hold for every task, if that was said. */
  conditions: JsonText | undefined
  runners: Loose
  level: number
  keepAlive: KeepAliveMode
  capturesContext: boolean
  includesRemote: boolean
  engineLog: EngineLog | undefined
  mirror: LogMirror | undefined
  telemetry: Telemetry | undefined
}

/** The options of the constructor, and who judges each. */
const OPTIONS: Record<keyof TaskerOptions, 'here' | 'engine'> = {
  store: 'here',
  exclusive: 'here',
  events: 'here',
  runners: 'here',
  logLevel: 'here',
  logger: 'here',
  mirrorLogs: 'here',
  telemetry: 'here',
  traces: 'here',
  keepAlive: 'here',
  captureContext: 'here',
  concurrency: 'engine',
  durability: 'engine',
  onInterrupted: 'engine',
  onStop: 'engine',
  onStopWaiting: 'engine',
  runTimeout: 'engine',
  queueTimeout: 'engine',
  retry: 'engine',
  indexes: 'engine',
  conditions: 'engine',
  retention: 'engine',
}

const KEEP_ALIVE: readonly KeepAliveMode[] = ['auto', 'always', 'never']

/** The options of the constructor, judged as far as it can be done here. */
export function openOptions(given: unknown): OpenOptions {
  const short = typeof given === 'string' || isUrl(given) ? { store: given } : given
  const options = only(short, Object.keys(OPTIONS), 'options')
  const { runners = {}, logLevel = 'info', keepAlive = 'auto', captureContext = false } = options
  const { exclusive = false, events = 'own' } = options
  const store = storeOf(options.store)
  const engineLog = engineLogOf(options.logger)
  const mirror = mirrorOf(options.mirrorLogs, engineLog)
  const telemetry = telemetryOf(options)
  const judgedThere = forEngine(options)
  const { conditions } = judgedThere
  return {
    storePath: store === ':memory:' ? undefined : store,
    text: jsonOf({
      store,
      exclusive: booleanOf(exclusive, 'exclusive'),
      log: engineLog?.level,
      ...judgedThere,
    }),
    conditions: conditions === undefined ? undefined : new JsonText(jsonOf(conditions)),
    runners: functionsOf(objectOf(runners, 'runners'), 'runners'),
    level: LEVELS.indexOf(oneOf(logLevel, LEVELS, 'logLevel')),
    keepAlive: oneOf(keepAlive, KEEP_ALIVE, 'keepAlive'),
    capturesContext: booleanOf(captureContext, 'captureContext'),
    includesRemote: oneOf(events, ['own', 'all'], 'events') === 'all',
    engineLog,
    mirror,
    telemetry,
  }
}

/** Where the lines of runners go besides. */
function mirrorOf(given: unknown, log: EngineLog | undefined): LogMirror | undefined {
  if (given === undefined || given === false) return undefined
  const level = LEVELS.indexOf(oneOf(given as LogLevel, LEVELS, 'mirrorLogs'))
  if (log) return new LogMirror(log, level)
  throw invalid('mirrorLogs', 'needs a logger, for the lines to go to: give the option logger')
}

function telemetryOf({ telemetry, traces }: Loose): Telemetry | undefined {
  const api = telemetryApiOf(telemetry)
  const style = traces === undefined ? 'link' : oneOf(traces, ['link', 'child'] as const, 'traces')
  if (api) return new Telemetry(api, style, version())
  if (traces === undefined) return undefined
  throw invalid('traces', 'needs telemetry, the package @opentelemetry/api')
}

/** An argument that is a boolean. */
export function booleanOf(value: unknown, path: string): boolean {
  if (typeof value === 'boolean') return value
  throw invalid(path, 'must be a boolean')
}

/** What is said of keys that are not known. */
interface Unknown {
  /** What to use instead of a word that users of other queues know. */
  meant?: Record<string, string>
}

/** An argument that is an object with no other keys than `known`; absent is empty. */
export function only(
  value: unknown,
  known: readonly string[],
  path: string,
  { meant = {} }: Unknown = {},
): Loose {
  if (value === undefined) return {}
  const options = objectOf(value, path)
  const unknown = Object.keys(options).find(key => !known.includes(key))
  if (unknown !== undefined) {
    const hint = Object.hasOwn(meant, unknown) ? `, ${meant[unknown]}` : ''
    throw invalid(unknown, `is not an option${hint}; there are ${known.join(', ')}`)
  }
  refuseForeign(options, known, path)
  return options
}

export function oneOf<Word extends string>(
  value: unknown,
  words: readonly Word[],
  path: string,
): Word {
  if (words.includes(value as Word)) return value as Word
  throw invalid(path, `must be one of ${words.join(', ')}`)
}

/** The options that the engine judges. */
function forEngine(options: Loose): Loose {
  const isIts = ([, judge]: [string, string]) => judge === 'engine'
  const names = Object.entries(OPTIONS)
    .filter(isIts)
    .map(([name]) => name)
  return Object.fromEntries(names.map(name => [name, judged(name, options[name])]))
}

/** An option as the engine can judge it. */
export function judged(word: string, value: unknown): unknown {
  if (word === 'conditions') return conditionsOf(scalar(value), word, `the option ${word}`)
  if (word === 'circuitBreaker' && isMembers(value)) return breakerOf(value)
  if (word !== 'queueTimeout' || !isMembers(value)) return scalar(value)
  const { then } = value
  return { ...scalars(value), then: isMembers(then) ? scalars(then) : scalar(then) }
}

/** A circuit breaker, whose query may hold what JSON drops. */
function breakerOf(value: Loose): Loose {
  const { when } = value
  const others = scalars(value)
  return when === undefined ? others : { ...others, when: plainQuery(when, 'circuitBreaker.when') }
}

/** An option that is an object, as the engine can judge it. */
export const judgedMembers = (value: unknown): unknown =>
  isMembers(value) ? scalars(value) : scalar(value)

const isMembers = (value: unknown): value is Loose =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const scalars = (members: Loose): Loose =>
  Object.fromEntries(Object.entries(members).map(([key, value]) => [key, scalar(value)]))

/** A value as the engine can judge it: JSON would turn NaN into null and drop a function. */
export function scalar(value: unknown): unknown {
  if (value === null || (typeof value === 'number' && !Number.isFinite(value))) return `${value}`
  const isLost = typeof value === 'function' || typeof value === 'symbol'
  return isLost || typeof value === 'bigint' ? `a ${typeof value}` : value
}

const STOP: (keyof StopOptions)[] = ['onStop', 'timeout']

/** The members of a stop or close. */
export function stopOptions(given: unknown): { onStop?: JsonText; timeout?: JsonText } {
  const options = only(given, STOP, 'options')
  const members = STOP.filter(key => options[key] !== undefined)
  return Object.fromEntries(members.map(key => [key, new JsonText(jsonOf(options[key]))]))
}

/** The members of a retry by hand. */
export function retryOptions(given: unknown): { delay?: JsonText; priority?: PriorityJson } {
  const { delay, priority } = only(given, ['delay', 'priority'], 'options')
  return {
    ...(delay !== undefined && { delay: new JsonText(jsonOf(delay)) }),
    ...(priority !== undefined && { priority: priorityOf(priority) }),
  }
}

/** The members of a postponement. */
export function postponeOptions(given: unknown): { delay?: JsonText; reason: JsonText } {
  const { delay, reason } = only(given, ['delay', 'reason'], 'options')
  return {
    ...(delay !== undefined && { delay: new JsonText(jsonOf(delay)) }),
    reason: new JsonText(serialisePostponement(reason)),
  }
}

/** JSON of what the engine is to judge. */
export function jsonOf(value: unknown): string {
  try {
    return stringify(scalar(value)) ?? 'null'
  } catch (cause) {
    throw invalid('options', 'cannot be read', cause)
  }
}

/** The name of an operation; `assignRunner` cannot wait for the engine to refuse it. */
export function operationOf(value: unknown): string {
  const fault = native().checkOperation(typeof value === 'string' ? stringify(value) : 'null')
  if (fault !== null) throw refusal(parse(fault))
  return value as string
}

/** A runner is a function, or the file: URL of a module. */
export function runnerOf(operation: string, runner: unknown): void {
  if (isUrl(runner)) {
    moduleOf(operation, runner)
    return
  }
  const its = `the runner of ${stringify(operation)}`
  if (typeof runner !== 'function') {
    const orModule = 'must be a function, or the file: URL of a module'
    throw invalid('runner', `${its} ${orModule}; options go to assignRunner, beside it`)
  }
  if (types.isGeneratorFunction(runner)) {
    throw invalid('runner', `${its} must not be a generator function: nothing would run its body`)
  }
}

/** The uuid of a task. A text that is none, such as a part of a URL, names no task. */
export function uuidOf(value: unknown): string {
  if (typeof value !== 'string') throw invalid('uuid', 'must be the uuid of a task')
  if (UUID.test(value)) return value.toLowerCase()
  const text = stringify(value.slice(0, 40))
  throw new TaskerError('TASKER_NOT_FOUND', `there is no task ${text}: that is no uuid`)
}

/** The key that an outbox gave for a task. */
export function outboxKeyOf(value: unknown): string {
  if (typeof value === 'string' && UUID.test(value)) return value.toLowerCase()
  throw invalid('key', 'must be a key of an outbox')
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** A priority as it travels: JSON has no infinities. */
export function priorityOf(value: unknown): PriorityJson {
  if (typeof value === 'number' && !Number.isNaN(value)) return scalar(value) as PriorityJson
  throw invalid(
    'priority',
    `must be a number, not ${typeof value === 'string' ? 'a text' : spell(value)}`,
  )
}

/** The level of the logs to come with tasks, or nothing. */
export function logsOf({
  withLogs = false,
  logsMaxLevel = 'info',
}: LogOptions): LogLevel | undefined {
  if (typeof withLogs !== 'boolean') throw invalid('withLogs', 'must be a boolean')
  const level = oneOf(logsMaxLevel, LEVELS, 'logsMaxLevel')
  return withLogs ? level : undefined
}

/** A count of tasks to leave out or to take. */
export function wholeOf(value: unknown, path: string): number | undefined {
  if (value === undefined || (Number.isSafeInteger(value) && Number(value) >= 0)) {
    return value as number | undefined
  }
  throw invalid(path, 'must be a whole number, 0 or more')
}

/** The JSON text of a definition, of which it is all that counts. */
const WRITTEN = Symbol('written')

/** A definition whose text is known. */
type Written = Loose & { [WRITTEN]?: string }

/** A definition that was written in the thread of a run. A copy of it is an ordinary one. */
export function writtenDefinition(text: string): unknown {
  const definition: Loose = parse(text)
  if (typeof definition.priority === 'string') definition.priority = Number(definition.priority)
  return Object.defineProperty(definition, WRITTEN, { value: text })
}

/** Its text, with a trace unless it has one. */
function writtenText(given: Written, text: string, trace: TraceContext | undefined): string {
  if (trace === undefined || given.trace !== undefined) return text
  return `${text.slice(0, -1)},"trace":${stringify(trace)}}`
}

/** The JSON text of the definition of a task, with a trace unless it has one. */
export function definitionText(given: unknown, trace?: TraceContext): string {
  try {
    const written = (given as Written | null | undefined)?.[WRITTEN]
    if (written !== undefined) return writtenText(given as Written, written, trace)
    const text = payloadText(withTrace(prepare(given), trace))
    if (text !== undefined) return text
  } catch (error) {
    throw unreadable(given, '', error)
  }
  throw invalid('task', 'must be an object')
}

/** The JSON text of what a task that waits is to have instead. */
export function patchText(given: unknown): JsonText {
  const { abortSignal } = objectOf(given, 'patch')
  if (abortSignal !== undefined) throw invalid('abortSignal', 'is fixed when a task is added')
  return new JsonText(definitionText(given))
}

/** Refuses what is no list of definitions, or a longer one than a call takes. */
export function listOf(given: unknown): void {
  if (!Array.isArray(given)) throw invalid('tasks', 'must be an array of definitions')
  if (given.length > TASKS_PER_CALL_MAX) throw tooMany(`${TASKS_PER_CALL_MAX} tasks`)
}

/** The JSON text of the definitions of several tasks; nothing is written that no call takes. */
export function definitionsText(given: readonly unknown[], trace?: TraceContext): string {
  try {
    const definitions = given.map((one, i) => withTrace(prepare(one, i), trace))
    if (isLongerThan(definitions, CALL_BYTES_MAX)) throw tooLong(definitions)
    const text = stringify(definitions)
    if (text.length > CALL_BYTES_MAX) throw tooMany(`${CALL_BYTES_MAX} bytes`)
    return text
  } catch (error) {
    if (error instanceof TaskerError) throw error
    for (let i = 0; i < given.length; i += 1) {
      if (!isStorable(given, i)) throw unreadable(given[i], `[${i}].`, error)
    }
    throw unreadable(given, '', error)
  }
}

/** One of them is too large, or all of them are. */
function tooLong(definitions: readonly unknown[]): TaskerError {
  const i = definitions.findIndex(one => isLongerThan(one, TASK_CHARS_MAX))
  return i < 0 ? tooMany(`${CALL_BYTES_MAX} bytes`) : tooLarge(`[${i}].data`)
}

const tooMany = (most: string) =>
  new TaskerError('TASKER_TOO_LARGE', `tasks: one call takes at most ${most}`, { path: 'tasks' })

/** The signal that a definition holds. */
export function definitionSignal(given: unknown, prefix = ''): AbortSignal | undefined {
  const path = `${prefix}abortSignal`
  try {
    const { abortSignal } = Object(given)
    return abortSignal === undefined ? undefined : signalOf(abortSignal, path)
  } catch (error) {
    throw error instanceof TaskerError ? error : invalid(path, 'cannot be read', error)
  }
}

/** The members of a definition, also those that an instance has from its class. */
export function membersOf(given: unknown, place: number | undefined): Loose {
  if (typeof given === 'object' && given !== null && isPlain(given)) return given as Loose
  const path = place === undefined ? 'task' : `[${place}]`
  if (typeof given === 'string') {
    throw invalid(path, 'must be an object: addTask({ operation, data })')
  }
  const definition = objectOf(given, path)
  const { toJSON } = definition
  if (typeof toJSON === 'function') return objectOf(toJSON.call(definition, ''), path)
  refuseForeign(definition, TASK_WORDS, path)
  const known = TASK_WORDS.filter(key => key in definition).map(key => [key, definition[key]])
  return { ...definition, ...Object.fromEntries(known) }
}

/**
 * A definition whose JSON says what it means; the same object where nothing needs a word. `place`
 * is the one in a list; its path is spelled only for an error, as it would cost more than the rest.
 */
function prepare(given: unknown, place?: number): Loose {
  const members = membersOf(given, place)
  const { data, id, label, tags, trace, retry, unique, dependsOn, retention } = members
  const { runAt, attach, abortSignal } = members
  if (!isOrdinary(data)) refuseUnstorable(data, 'data', place)
  if (!isOrdinary(id)) refuseUnstorable(id, 'id', place)
  if (!isOrdinary(label)) refuseUnstorable(label, 'label', place)
  if (!isOrdinary(tags)) refuseUnstorable(tags, 'tags', place)
  if (!isOrdinary(trace)) refuseUnstorable(trace, 'trace', place)
  if (!isOrdinary(retry)) refuseUnstorable(retry, 'retry', place)
  if (!isOrdinary(unique)) refuseUnstorable(unique, 'unique', place)
  if (!isOrdinary(dependsOn)) refuseUnstorable(dependsOn, 'dependsOn', place)
  if (!isOrdinary(retention)) refuseUnstorable(retention, 'retention', place)
  const { priority, delay, runTimeout, queueTimeout, parent } = members
  const { onInterrupted, onStop, onStopWaiting } = members
  const isShort = typeof queueTimeout !== 'object' && isJson(queueTimeout)
  const areTimes = isJson(delay) && isJson(runTimeout) && isShort && runAt === undefined
  const areStops = isJson(onInterrupted) && isJson(onStop) && isJson(onStopWaiting)
  const areWords = isJson(priority) && isJson(parent) && areStops
  const { concurrency } = members
  const staysHere = attach !== undefined || abortSignal !== undefined
  if (areTimes && areWords && !staysHere && concurrency === undefined) return members
  const stops = { onInterrupted, onStop, onStopWaiting }
  const others = { priority, delay, runTimeout, queueTimeout, parent, ...stops }
  const words = Object.entries(others).map(([word, value]) => [word, judged(word, value)])
  const judgedHere = {
    runAt: momentOf(runAt),
    // Of an attachment the engine is told that there is one.
    attach: attach === undefined ? undefined : true,
    abortSignal: undefined,
    concurrency: conditionsOf(
      scalar(concurrency),
      pathOf('concurrency', place),
      spell(members.operation),
    ),
  }
  return { ...members, ...Object.fromEntries(words), ...judgedHere }
}

/** A definition that was prepared, with a trace unless it has one. */
const withTrace = (definition: Loose, trace: TraceContext | undefined): Loose =>
  trace && definition.trace === undefined ? { ...definition, trace } : definition

/** Where a word of a definition stands. */
const pathOf = (word: string, place: number | undefined) =>
  place === undefined ? word : `[${place}].${word}`

/** What needs no second look: scalars, lists, what was written as `{ … }`. */
function isOrdinary(value: unknown): boolean {
  if (typeof value === 'object') return value === null || isBare(value)
  return typeof value !== 'function' && typeof value !== 'symbol'
}

/** Refuses what JSON would drop, or keeps nothing of. */
function refuseUnstorable(value: unknown, word: string, place: number | undefined) {
  const path = pathOf(word, place)
  if (typeof value === 'function' || typeof value === 'symbol') {
    throw invalid(path, `a ${typeof value} cannot be stored as JSON`)
  }
  refuseEmptied(value, path)
}

/** A moment as the engine can judge it: in milliseconds since 1970. */
export const momentOf = (value: unknown) => scalar(types.isDate(value) ? value.getTime() : value)

/** Whether JSON keeps it as it is. */
function isJson(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  return typeof value !== 'function' && typeof value !== 'symbol' && typeof value !== 'bigint'
}

/** Whether JSON can be made of a part, and not too much of it. */
function isStorable(whole: unknown, key: string | number): boolean {
  try {
    payloadText((whole as Loose)[key])
    return true
  } catch {
    return false
  }
}

/** Why `JSON.stringify` threw, with the path of the part that made it. */
function unreadable(given: unknown, prefix: string, cause: unknown): unknown {
  if (cause instanceof TaskerError) return cause
  const path = `${prefix}${culprit(given)}`
  if (!(cause instanceof RangeError)) return unwritable(path, cause)
  return tooLarge(path, { cause })
}

function tooLarge(path: string, facts: { cause?: unknown } = {}): TaskerError {
  const message = `${path}: is too large or too deep to be stored`
  return new TaskerError('TASKER_TOO_LARGE', message, { path, ...facts })
}

function culprit(given: unknown): string {
  try {
    const staysHere = ['abortSignal', 'attach']
    const keys = Object.keys(given as object).filter(key => !staysHere.includes(key))
    return keys.find(key => !isStorable(given, key)) ?? 'data'
  } catch {
    return 'data'
  }
}
