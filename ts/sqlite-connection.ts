/**
 * A SQLite handle of the user's: of `better-sqlite3`, of `node:sqlite`, or one that works as they.
 *
 * Only the handle is used. The file behind it is never opened here: two SQLite libraries with one
 * file in one process drop each other's locks.
 *
 * # Promises
 * - What is written here is written outside of the user's transactions, or inside one on purpose.
 * - Work that the user did not call for never waits long for a lock.
 * - A handle whose file is a store of tasker is refused.
 *
 * Proof: `__test__/contract/outbox.test.mjs`.
 */

import { realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import type { SqliteHandle } from '../index'
import { APPLICATION_ID } from './constants'
import { invalid, read, spell, TaskerError } from './errors'

type Row = Record<string, unknown>

/** A prepared statement. */
export interface Statement {
  run(...parameters: unknown[]): unknown
  all(...parameters: unknown[]): unknown[]
}

/** How long our own work waits for a lock. */
const BRIEF_MS = 20

/**
 * Whether an error says that a connection or its file is in use and will be free again: an open
 * iterator of better-sqlite3, a lock of another process.
 */
export function isBusy(error: unknown): boolean {
  const [code, errcode, message] = ['code', 'errcode', 'message'].map(key =>
    read(Object(error), key),
  )
  if (typeof code === 'string' && /^SQLITE_(BUSY|LOCKED)/.test(code)) return true
  // The lower byte of an extended result code: SQLITE_BUSY, SQLITE_LOCKED.
  if (typeof errcode === 'number') return [5, 6].includes(errcode & 0xff)
  return typeof message === 'string' && message.includes('connection is busy')
}

/** A handle that belongs to the user. */
export class SqliteConnection {
  readonly #db: SqliteHandle

  constructor(db: unknown) {
    const functions = ['prepare', 'exec']
    const isHandle = functions.every(name => typeof read(Object(db), name) === 'function')
    if (!isHandle) throw invalid('db', 'must be a handle of better-sqlite3 or node:sqlite')
    this.#db = db as SqliteHandle
  }

  /** Whether it can be used. A library that does not say so throws when it is used. */
  get isOpen(): boolean {
    const { open, isOpen } = this.#db as { open?: unknown; isOpen?: unknown }
    if (typeof open === 'boolean') return open
    return typeof isOpen === 'boolean' ? isOpen : true
  }

  /** Whether a transaction of the user's is open: then this handle sees what is not committed. */
  get isInTransaction(): boolean {
    const said = this.#db.inTransaction ?? this.#db.isTransaction
    return typeof said === 'boolean' ? said : this.#probe()
  }

  /** For Node.js before 22.16. A transaction that reads and writes nothing takes no lock. */
  #probe(): boolean {
    try {
      this.#db.exec('BEGIN')
    } catch (error) {
      if (spell(read(Object(error), 'message')).includes('within a transaction')) return true
      throw error
    }
    this.#db.exec('COMMIT')
    return false
  }

  /** A statement whose rows are objects, whatever the handle's own default is. */
  prepare(sql: string): Statement {
    const statement = this.#db.prepare(sql) as Statement & { setReturnArrays?(is: boolean): void }
    statement.setReturnArrays?.(false)
    return statement
  }

  exec(sql: string): void {
    this.#db.exec(sql)
  }

  /** Carries out some work in a transaction of its own, whole or not at all. */
  atomically(work: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      work()
      this.#db.exec('COMMIT')
    } catch (error) {
      // After some faults SQLite has rolled back by itself.
      if (this.isInTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
  }

  /**
   * Carries out some work that waits only a moment for a lock of another process. The user's own
   * statements may wait for seconds, which stops the whole process: only they may choose that.
   */
  briefly<Value>(work: () => Value): Value {
    const [row] = this.#rows('PRAGMA busy_timeout')
    const usualMs = Number(row?.timeout)
    if (usualMs <= BRIEF_MS) return work()
    // It answers with a row: so it may be read while an iterator of better-sqlite3 is open.
    this.#rows(`PRAGMA busy_timeout = ${BRIEF_MS}`)
    try {
      return work()
    } finally {
      this.#rows(`PRAGMA busy_timeout = ${usualMs}`)
    }
  }

  /** The file behind it; empty for one in memory. */
  file(): string {
    const files = this.#rows('PRAGMA database_list')
    return String(files.find(({ name }) => name === 'main')?.file ?? '')
  }

  /** Refuses a handle that has a store of tasker open: the one at `storePath`, or any other. */
  refuseStore(storePath: string | undefined): void {
    const file = this.file()
    const isOurs = file !== '' && storePath !== undefined && identity(file) === identity(storePath)
    const [row] = this.#rows('PRAGMA application_id')
    if (!isOurs && Number(row?.application_id) !== APPLICATION_ID) return
    const message =
      `${file} is a store of tasker, which only tasker may open in this process.` +
      ' Give the outbox a handle with a file of your own; do not close this one before the tasker.'
    throw new TaskerError('TASKER_FILE_SHARED', message, { path: 'db' })
  }

  #rows(sql: string): Row[] {
    const rows: unknown = this.prepare(sql).all()
    if (Array.isArray(rows)) return rows as Row[]
    throw invalid('db', 'must answer at once, as better-sqlite3 and node:sqlite do')
  }
}

/** The same text for every name of one file, whether it exists or is about to. */
export function identity(file: string): string {
  try {
    const { dev, ino } = statSync(file, { bigint: true })
    return `${dev}:${ino}`
  } catch {
    return inFolder(resolve(file))
  }
}

function inFolder(path: string): string {
  try {
    return join(realpathSync(dirname(path)), basename(path))
  } catch {
    return path
  }
}
