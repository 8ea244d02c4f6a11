/** Tasks added inside transactions of your own SQLite file. */

import type { TaskToAdd, Unique } from './definition'
import type { AnyOperations, OfOperation, OperationName, TaskUuid } from './registry'

/**
 * A SQLite handle of your own, of `better-sqlite3` or `node:sqlite`. tasker uses the handle and
 * never opens the file behind it.
 */
export interface SqliteHandle {
  // biome-ignore lint/suspicious/noExplicitAny: each library has types of its own.
  prepare(sql: string): { run(...values: any[]): unknown; all(...values: any[]): unknown[] }
  exec(sql: string): unknown
  /** Whether a transaction is open, as `better-sqlite3` says it. */
  readonly inTransaction?: boolean
  /** Whether a transaction is open, as `node:sqlite` says it from Node.js 22.16 on. */
  readonly isTransaction?: boolean
}

/** Where an outbox keeps its rows. Unknown keys are errors. */
export interface OutboxOptions {
  /**
   * The table; made if it does not exist. If you feed two tasker files from one database, give each
   * its own table.
   * @default 'tasker_outbox'
   */
  table?: string | undefined
}

/**
 * Identifies a task before it has a uuid: a string that you may store. Its type carries the
 * operation, as {@link TaskUuid}.
 */
export type OutboxKey<Name extends string = string> = string & OfOperation<Name>

/**
 * A task to add through an outbox: no signal, because the row outlives the process, and no
 * `onConflict: 'reject'`, because nobody would hear of it.
 */
export type OutboxDefinition<
  Operations = AnyOperations,
  Name extends OperationName<Operations> = OperationName<Operations>,
> = TaskToAdd<Operations, Name> & {
  abortSignal?: undefined
  unique?: (Unique & { onConflict?: 'return' | 'replace' | undefined }) | undefined
}

/**
 * Adds tasks inside transactions of your own SQLite file. After the commit, each becomes exactly
 * one task, whatever crashes; after a rollback, none.
 *
 * @example
 * const outbox = tasker.outbox(db)
 * db.transaction(() => {
 *   db.prepare('INSERT INTO orders (id) VALUES (?)').run(7)
 *   outbox.addTask({ operation: 'confirm', data: { order: 7 } })
 * })()
 */
export interface Outbox<Operations = AnyOperations> {
  /**
   * Writes a row through the handle, inside its open transaction if there is one, and returns the
   * row's key. Throws what `addTask` would reject with, and what your SQLite library throws.
   *
   * The row becomes a task soon after the commit; if the process dies, when an outbox is next
   * opened on the file. Defaults of the tasker apply then.
   */
  addTask<Name extends OperationName<Operations>>(
    definition: OutboxDefinition<Operations, Name>,
  ): OutboxKey<Name>

  /**
   * The uuid of the task that the row with this key became, or `undefined` if the row was rolled
   * back or refused. Waits until every row so far has become a task or is refused. Works in a
   * later process too.
   */
  uuidOf<Name extends OperationName<Operations>>(
    key: OutboxKey<Name>,
  ): Promise<TaskUuid<Name> | undefined>
  uuidOf(key: string): Promise<TaskUuid | undefined>

  /**
   * Resolves when every row that was written so far, by any process, has become a task, or is
   * refused: then it stays in the table, with the reason in the column `refused`. Waits for
   * the end of a transaction that is open on the handle. Rejects if the store takes no tasks or the
   * handle is closed; the rows stay.
   */
  flush(): Promise<void>
}
