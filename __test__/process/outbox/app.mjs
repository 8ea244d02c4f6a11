// The application of the outbox's storm: its file, and orders that each want one task.

import { randomBytes } from 'node:crypto'
import { writeSync } from 'node:fs'
import { inTransaction, openSqlite } from '../../contract/sqlite.mjs'

/** Opens the application's file; several processes do. */
export function openApp(path) {
  const db = openSqlite(path, { timeout: 10_000 })
  db.exec('PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL')
  db.exec('CREATE TABLE IF NOT EXISTS orders (n INTEGER PRIMARY KEY, key TEXT NOT NULL) STRICT')
  return db
}

/** The row of an outbox as a program without tasker writes it, as the guide says. */
export function writeRow(db, task) {
  const key = randomBytes(16)
  key.writeUIntBE(Date.now(), 0, 6)
  db.prepare('INSERT INTO tasker_outbox (key, task) VALUES (?, ?)').run(key, JSON.stringify(task))
  return key.toString('hex')
}

/** An order and its task, in the transaction that is open. */
export function order(db, n, add) {
  const key = add({ operation: 'confirm', data: { n } })
  db.prepare('INSERT INTO orders (n, key) VALUES (?, ?)').run(n, key)
}

class TakenBack extends Error {}

/** Some orders in one transaction, which is taken back if `isTakenBack`. */
export function orderAll(db, ns, add, isTakenBack) {
  try {
    inTransaction(db, () => {
      for (const n of ns) order(db, n, add)
      if (isTakenBack) throw new TakenBack()
    })
    countCommitted(ns.length)
  } catch (error) {
    if (!(error instanceof TakenBack)) throw error
  }
}

const ORDERS_MIN = 20
let committed = 0

/** Counts orders that were committed; says once that these are worth a kill. */
export function countCommitted(count) {
  const before = committed
  committed += count
  if (before < ORDERS_MIN && committed >= ORDERS_MIN) writeSync(1, '["busy"]\n')
}

/** Numbers that no other life and no other process of it uses, so many at a time. */
export function numbersFrom(first) {
  let next = first
  return count => Array.from({ length: count }, () => next++)
}
