/**
 * An outbox: tasks that an application adds inside its own transactions, through its own handle.
 *
 * `addTask` writes a row into the application's file, so that it is committed or rolled back with
 * everything else there. Rows that are committed are handed to the engine with their keys, and
 * leave the table when the engine has them on disk. The engine knows every key that it has had: a
 * row that is handed over again, after a crash or by another process, makes no second task.
 *
 * # Promises
 * - A row is read only while the handle is in no transaction: so it is committed (I-20).
 * - A row leaves the table only after its task is on disk (I-20).
 * - A row that the store refuses, or has no room for now, holds no other up.
 * - Nothing here keeps a process alive but a `flush` that is waited for.
 *
 * # Left to others
 * That a key makes one task: the engine. What is in the table: `outbox-table.ts`.
 *
 * Proof: `__test__/contract/outbox.test.mjs`, `__test__/process/storm-outbox.test.mjs`.
 */

import type { OutboxOptions, TaskDefinition, TraceContext } from '../index'
import type { Attachment, Bridge } from './bridge'
import { Deferred } from './calls'
import { invalid, read, TaskerError } from './errors'
import type { EventHub } from './events'
import {
  clearImmediate,
  clearTimeout,
  monotonicMs,
  parse,
  setImmediate,
  setTimeout,
} from './globals'
import type { Added } from './messages'
import { inRootContext } from './native'
import { definitionSignal, definitionText, only, outboxKeyOf } from './options'
import { bytesOf, hexOf, newKey } from './outbox-key'
import { OutboxTable, type Refused, type Row, tableOf } from './outbox-table'
import type { Schemas } from './schemas'
import { identity, isBusy, SqliteConnection } from './sqlite-connection'
import type { Telemetry } from './telemetry'
import type { Adds } from './unique'
import { warn } from './warnings'

/** How long to wait while a transaction stays open, or after a fault: twice as long each time. */
const DELAY_MS_MAX = 250
/** The same while others use the handle or its file. */
const BUSY_DELAY_MS_MAX = 1000
/** Faults in a row after which they are reported. */
const FAULTS_MAX = 10
/** How long rows wait for which the store has no room, while those behind them go on. */
const ROOM_DELAY_MS = 1000
/** How many rows wait so; with more of them all wait. Each costs a call. */
const ROOMLESS_MAX = 64
/** How long others may use the handle or its file before a warning says so. */
const BUSY_MS_MAX = 10_000

/** What an outbox needs of its tasker. */
export interface OutboxContext {
  readonly bridge: Bridge
  readonly events: EventHub
  readonly adds: Adds
  readonly schemas: Schemas
  readonly telemetry: Telemetry | undefined
  /** The path of the store, if it is a file. */
  readonly storePath: string | undefined
}

/** Someone waits until every row that the next read of the table finds has become a task. */
interface Wait {
  /** The newest of those rows, when the table has been read. */
  key: Uint8Array | undefined
  readonly deferred: Deferred
}

/** The outbox in one table of one handle. */
export class Outbox implements Attachment {
  readonly #context: OutboxContext
  readonly #handle: SqliteConnection
  readonly #table: OutboxTable
  #waits: Wait[] = []
  #done: Uint8Array[] = []
  #refused: Refused[] = []
  /** The keys of rows for which the store had no room, until they are tried again. */
  #roomless = new Set<string>()
  #roomAtMs = 0
  #isRoomlessTold = false
  #isSent = false
  #isClosed = false
  #faults = 0
  #busySinceMs: number | undefined
  #isBusyTold = false
  #delayMs = 0
  #soon: NodeJS.Immediate | undefined
  #later: NodeJS.Timeout | undefined

  constructor(context: OutboxContext, handle: SqliteConnection, name: string) {
    this.#context = context
    this.#handle = handle
    this.#table = new OutboxTable(handle, name)
    this.#table.make()
    context.bridge.attach(this)
    this.#wake()
  }

  /** Whether it is of no use any more. */
  get isOver(): boolean {
    return this.#isClosed || !this.#handle.isOpen
  }

  get isAwaited(): boolean {
    return this.#waits.length > 0
  }

  readonly addTask = (definition: TaskDefinition): string => {
    const { telemetry } = this.#context
    if (!telemetry) return this.#addTask(definition)
    return telemetry.addNow(definition, trace => this.#addTask(definition, trace))
  }

  #addTask(definition: TaskDefinition, trace?: TraceContext): string {
    const { bridge, events, schemas } = this.#context
    bridge.check()
    if (definitionSignal(definition)) {
      throw invalid('abortSignal', 'a task of an outbox outlives it; use abortTask')
    }
    const text = definitionText(definition, trace)
    const fault = bridge.fault(text)
    if (fault) throw fault
    schemas.checkData(definition)
    if (events.hasListeners('task.add')) events.emit('task.add', definition)
    const key = newKey()
    // A row is dated by SQLite, as those are that other programs write; a test has its own clock.
    const { world } = bridge
    this.#table.insert(bytesOf(key), text, world.isTest ? world.wallMs() : undefined)
    this.#wake()
    return key
  }

  readonly flush = (): Promise<void> => {
    if (this.#context.bridge.closed) return Promise.reject(this.#context.bridge.closed)
    const wait: Wait = { key: undefined, deferred: new Deferred() }
    this.#waits.push(wait)
    this.#context.bridge.updateKeepAlive()
    this.#wake()
    return wait.deferred.promise
  }

  readonly uuidOf = async (key: string): Promise<string | undefined> => {
    const command = { do: 'findByKey', key: outboxKeyOf(key) } as const
    await this.flush()
    return this.#context.bridge.command(command, uuid => uuid ?? undefined)
  }

  closed(reason: unknown): void {
    this.#isClosed = true
    this.#rest()
    this.#refuse(reason)
  }

  /** Looks at the table when the loop is next free: a transaction that is open now is over then. */
  #wake() {
    if (this.#soon || this.#isSent || this.#isClosed) return
    this.#rest()
    this.#delayMs = 0
    this.#soon = inRootContext(() => setImmediate(() => this.#drain()))
  }

  #wakeLater(maxMs = DELAY_MS_MAX) {
    this.#delayMs = Math.min(2 * this.#delayMs || 1, maxMs)
    this.#later = inRootContext(() => setTimeout(() => this.#drain(), this.#delayMs))
    this.#later.unref()
  }

  #rest() {
    clearImmediate(this.#soon)
    clearTimeout(this.#later)
    this.#soon = undefined
    this.#later = undefined
  }

  #drain() {
    this.#rest()
    try {
      if (!this.#handle.isOpen) throw handleClosed()
      if (this.#handle.isInTransaction) return this.#wakeLater()
      this.#handle.briefly(() => this.#work())
    } catch (error) {
      this.#failed(error)
    }
  }

  #work() {
    this.#finishRows()
    this.#context.bridge.check()
    const page = this.#table.page()
    this.#faults = 0
    this.#busySinceMs = undefined
    if (this.#waits.length > 0) this.#release(page[0]?.key)
    if (page.length === 0) this.#isRoomlessTold = false
    const rest = this.#withRoom(page)
    if (rest.length > 0) this.#send(rest)
    else if (page.length > 0) this.#wakeLater(ROOM_DELAY_MS)
  }

  /** Without the rows for which the store had no room a moment ago. */
  #withRoom(page: Row[]): Row[] {
    if (this.#roomless.size === 0) return page
    if (monotonicMs() >= this.#roomAtMs) this.#roomless.clear()
    return page.filter(({ key }) => !this.#roomless.has(hexOf(key)))
  }

  /** The rows that are over leave the table. If that is lost they are handed over again. */
  #finishRows() {
    if (this.#done.length + this.#refused.length === 0) return
    this.#table.finish(this.#done, this.#refused)
    this.#done = []
    this.#refused = []
  }

  #send(page: Row[]) {
    const sound = page.filter(row => this.#isSound(row))
    const text = sound.map(({ key, at, task }) => `["${hexOf(key)}",${at},${task}]`).join(',')
    this.#isSent = true
    const sent = this.#context.bridge.addIdempotent(`[${text}]`, tasks => this.#added(tasks, sound))
    sent.then(
      () => {
        this.#isSent = false
        this.#done = sound.map(({ key }) => key)
        this.#wake()
      },
      error => {
        this.#isSent = false
        if (!this.#refuseOne(sound, error)) this.#failed(error)
      },
    )
  }

  /** Whether a row can become a task; if another program wrote it, nobody has checked it yet. */
  #isSound({ key, task }: Row): boolean {
    const fault = this.#context.bridge.fault(task)
    if (!fault) return true
    this.#refuseRow(key, fault)
    return false
  }

  /**
   * A row that the store will never take is refused, and holds the others up no more: it depends on
   * a task that is not there, or has a value that its conditions cannot take.
   */
  #refuseOne(sound: Row[], error: unknown): boolean {
    if (!(error instanceof TaskerError)) return false
    const [, place, path] = /^\[(\d+)\]\.(.*)$/.exec(error.path ?? '') ?? []
    const row = sound[Number(place)]
    if (!row || path === undefined) return false
    if (error.code === 'TASKER_LIMIT') return this.#passBy(row, error)
    const isOfConditions = /^(conditions|concurrency)\b/.test(path)
    const isOver = ['TASKER_INVALID_QUERY', 'TASKER_TOO_LARGE'].includes(error.code)
    if (error.code !== 'TASKER_NOT_FOUND' && !(isOfConditions && isOver)) return false
    const why = error.message.replace(`[${place}].`, '')
    this.#refuseRow(row.key, new TaskerError(error.code, why, { path, cause: error }))
    this.#wake()
    return true
  }

  /** A row waits for room, and those behind it go on. */
  #passBy({ key }: Row, error: TaskerError): boolean {
    if (this.#roomless.size >= ROOMLESS_MAX) return false
    if (this.#roomless.size === 0) this.#roomAtMs = monotonicMs() + ROOM_DELAY_MS
    this.#roomless.add(hexOf(key))
    if (this.isAwaited) this.#refuse(error)
    else if (!this.#isRoomlessTold) this.#context.events.fault(error)
    this.#isRoomlessTold = true
    this.#wake()
    return true
  }

  #refuseRow(key: Uint8Array, fault: TaskerError) {
    this.#refused.push({ key, why: fault.message })
    const message = `A row of the outbox cannot become a task: ${fault.message}`
    this.#context.events.fault(new TaskerError(fault.code, message, { cause: fault }))
  }

  #added(tasks: Added[], rows: Row[]) {
    const nothing = { signal: undefined, attach: undefined, context: undefined }
    tasks.forEach((added, i) => {
      this.#context.adds.added(added, () => parse((rows[i] as Row).task), nothing)
    })
  }

  /** Rows are read in the order of their keys: what is older than the oldest row is over. */
  #release(oldest: Uint8Array | undefined) {
    const newest = oldest && this.#table.newest()
    for (const wait of this.#waits) wait.key ??= newest
    const isOver = ({ key }: Wait) => !oldest || !key || Buffer.compare(key, oldest) < 0
    for (const { deferred } of this.#waits.filter(isOver)) deferred.resolve(undefined)
    this.#waits = this.#waits.filter(wait => !isOver(wait))
    this.#context.bridge.updateKeepAlive()
  }

  #refuse(error: unknown) {
    const waits = this.#waits
    this.#waits = []
    for (const { deferred } of waits) deferred.refused(error)
    this.#context.bridge.updateKeepAlive()
  }

  /** The rows are where they were. Unless nothing can come of it, they are tried again later. */
  #failed(error: unknown) {
    const { bridge, events } = this.#context
    if (this.#isClosed) return
    if (bridge.closed) return this.#refuse(bridge.closed)
    if (isHandleClosed(error)) return this.#refuse(handleClosed(error))
    if (isBusy(error)) return this.#waitForOthers()
    this.#faults += 1
    const isTold = this.isAwaited
    if (error instanceof TaskerError || this.#faults === FAULTS_MAX) this.#refuse(error)
    if (!isTold && this.#faults === FAULTS_MAX) events.fault(error)
    this.#wakeLater()
  }

  /** An iterator of the user's or a lock of another process is no fault, however long it lasts. */
  #waitForOthers() {
    const now = monotonicMs()
    this.#busySinceMs ??= now
    if (now - this.#busySinceMs >= BUSY_MS_MAX && !this.#isBusyTold) {
      this.#isBusyTold = true
      const why = 'its handle has an open iterator, or another process holds a lock of its file'
      warn('TASKER_OUTBOX_BUSY', `The rows of an outbox have waited for ${BUSY_MS_MAX} ms: ${why}.`)
    }
    this.#wakeLater(BUSY_DELAY_MS_MAX)
  }
}

/** Which tasker takes the rows of a table; taskers may be collected all the same. */
interface TableUse {
  readonly table: string
  readonly database: string
  readonly bridge: WeakRef<Bridge>
}

let tablesInUse: TableUse[] = []

/** The outboxes of a handle, by table. The tasker holds them, so that it can be collected. */
const byHandle = new WeakMap<object, Map<string, WeakRef<Outbox>>>()

/** Names of handles that have no file. */
const inMemory = new WeakMap<object, string>()

/** The outbox of a tasker in a table that a handle reaches; the same object each time. */
export function outboxOf(context: OutboxContext, db: unknown, options: OutboxOptions = {}): Outbox {
  const name = tableOf(only(options, ['table'], 'options').table)
  const handle = new SqliteConnection(db)
  context.bridge.check()
  handle.refuseStore(context.storePath)
  useTable(context.bridge, name, databaseOf(db as object, handle.file()))
  const known = byHandle.get(db as object) ?? new Map<string, WeakRef<Outbox>>()
  byHandle.set(db as object, known)
  const before = known.get(name)?.deref()
  if (before && !before.isOver) return before
  const outbox = new Outbox(context, handle, name)
  known.set(name, new WeakRef(outbox))
  return outbox
}

/** What two handles have in common if they reach the same tables. */
function databaseOf(db: object, file: string): string {
  if (file !== '') return identity(file)
  const name = inMemory.get(db) ?? newKey()
  inMemory.set(db, name)
  return name
}

/** Two taskers must not share a table: each would take all of its rows. */
function useTable(bridge: Bridge, table: string, database: string) {
  tablesInUse = tablesInUse.filter(
    one => one.bridge.deref()?.closed === undefined && one.bridge.deref(),
  )
  const others = tablesInUse.filter(one => one.table === table && one.database === database)
  if (others.some(one => one.bridge.deref() !== bridge)) {
    throw invalid('table', `the rows of ${table} go to another tasker; name one for this tasker`)
  }
  if (others.length === 0) tablesInUse.push({ table, database, bridge: new WeakRef(bridge) })
}

const handleClosed = (cause?: unknown) => {
  const message = 'The handle of the outbox is closed; the next outbox on its file goes on.'
  return new TaskerError('TASKER_CLOSED', message, cause === undefined ? {} : { cause })
}

/** Whether it says so: our own word, or that of `node:sqlite`. */
function isHandleClosed(error: unknown): boolean {
  const code = read(Object(error), 'code')
  return code === 'ERR_INVALID_STATE' || code === 'TASKER_CLOSED'
}
