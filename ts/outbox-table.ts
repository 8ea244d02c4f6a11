/**
 * The table of an outbox, in the user's file: one row per task that is not yet in the store.
 *
 * The statements use a handle that is lent (`sqlite-connection.ts`). The table has no row id, so
 * that an insert leaves the `last_insert_rowid()` of the user's own statements alone.
 *
 * # Promises
 * - A page is bounded in rows and in characters, but for one large row.
 * - A row leaves the table only by the key that was read with it.
 *
 * Proof: `__test__/contract/outbox.test.mjs`.
 */

import { invalid } from './errors'
import type { SqliteConnection, Statement } from './sqlite-connection'

const PAGE_ROWS_MAX = 1024
const PAGE_CHARS_MAX = 4 * 1024 * 1024
/** The last moment that a `Date` has; the first one lies as far away. */
const DATE_MS_MAX = 8.64e15
const NAME = /^(?!sqlite_)[a-z_][a-z0-9_]{0,62}$/i

/** A row: a task that is on its way. */
export interface Row {
  key: Uint8Array
  /** When it was written, in milliseconds since 1970. */
  at: number | bigint
  task: string
}

/** A row that cannot become a task. */
export interface Refused {
  key: Uint8Array
  why: string
}

/** The name of a table; it becomes a part of statements. */
export function tableOf(value: unknown = 'tasker_outbox'): string {
  if (typeof value === 'string' && NAME.test(value)) return value
  throw invalid('table', 'must be letters, digits and _, at most 63, not beginning with a digit')
}

const statements = (name: string) => ({
  make: `CREATE TABLE IF NOT EXISTS main.${name} (
  -- 16 bytes that grow with time; the store keeps them with the task.
  key BLOB PRIMARY KEY CHECK (length(key) = 16),
  -- What addTask was given, as JSON.
  task TEXT NOT NULL,
  -- Why it cannot become a task, if it cannot; such a row stays until you delete it.
  refused TEXT,
  -- When the row was written, in milliseconds since 1970: from then on counts a delay.
  at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER))
    CHECK (at BETWEEN -${DATE_MS_MAX} AND ${DATE_MS_MAX})
) STRICT, WITHOUT ROWID`,
  insert: `INSERT INTO main.${name} (key, task) VALUES (?, ?)`,
  insertAt: `INSERT INTO main.${name} (key, task, at) VALUES (?, ?, ?)`,
  sizes: `SELECT key, length(task) AS size FROM main.${name}
    WHERE refused IS NULL ORDER BY key LIMIT ${PAGE_ROWS_MAX}`,
  newest: `SELECT key FROM main.${name} WHERE refused IS NULL ORDER BY key DESC LIMIT 1`,
  page: `SELECT key, at, task FROM main.${name}
    WHERE refused IS NULL AND key <= ? ORDER BY key LIMIT ${PAGE_ROWS_MAX}`,
  delete: `DELETE FROM main.${name} WHERE key = ?`,
  refuse: `UPDATE main.${name} SET refused = ? WHERE key = ?`,
})

type Name = keyof ReturnType<typeof statements>

/** The table in one file. */
export class OutboxTable {
  readonly #handle: SqliteConnection
  readonly #sql: Record<Name, string>
  readonly #prepared = new Map<Name, Statement>()
  #isMade = false

  constructor(handle: SqliteConnection, name: string) {
    this.#handle = handle
    this.#sql = statements(name)
  }

  /** Makes the table if it is not there. A rollback of the user's may take it away again. */
  make(): void {
    if (this.#isMade) return
    this.#handle.exec(this.#sql.make)
    this.#isMade = !this.#handle.isInTransaction
  }

  /** A new row; without `at` it is dated by the clock of SQLite. */
  insert(key: Uint8Array, task: string, at?: number): void {
    const insert = () =>
      at === undefined
        ? this.#statement('insert').run(key, task)
        : this.#statement('insertAt').run(key, task, at)
    this.make()
    try {
      insert()
    } catch (error) {
      if (!/no such table/.test(String(error))) throw error
      this.#isMade = false // Somebody dropped it.
      this.make()
      insert()
    }
  }

  /** The oldest rows. */
  page(): Row[] {
    this.make()
    let last: Uint8Array | undefined
    let chars = 0
    for (const { key, size } of this.#statement('sizes').all() as { key: Uint8Array; size: 0 }[]) {
      chars += Number(size)
      if (last && chars > PAGE_CHARS_MAX) break
      last = key
    }
    return last ? (this.#statement('page').all(last) as Row[]) : []
  }

  /** The key of the newest row, if there is one. */
  newest(): Uint8Array | undefined {
    this.make()
    const [row] = this.#statement('newest').all() as { key: Uint8Array }[]
    return row?.key
  }

  /** Takes rows away, and marks others as refused, in a transaction of its own. */
  finish(done: readonly Uint8Array[], refused: readonly Refused[]): void {
    this.#handle.atomically(() => {
      for (const key of done) this.#statement('delete').run(key)
      for (const { key, why } of refused) this.#statement('refuse').run(why, key)
    })
  }

  #statement(name: Name): Statement {
    let statement = this.#prepared.get(name)
    if (!statement) {
      statement = this.#handle.prepare(this.#sql[name])
      this.#prepared.set(name, statement)
    }
    return statement
  }
}
