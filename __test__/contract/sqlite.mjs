// The SQLite libraries that an application may bring, each opened in its own way.

import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/** A library that opens files with `open(path)`, or why it is not there. */
const found = (name, load) => {
  try {
    return { name, open: load(), skip: false }
  } catch (error) {
    // node:sqlite came with Node.js 22.5. The other one is compiled for one Node.js.
    const isAbsent = name === 'node:sqlite' && error.code === 'ERR_UNKNOWN_BUILTIN_MODULE'
    const isForeign = error.message.includes('NODE_MODULE_VERSION')
    if (isAbsent || isForeign) return { name, skip: error.message.split('\n')[0] }
    throw error
  }
}

export const libraries = [
  found('better-sqlite3', () => {
    const Database = require('better-sqlite3')
    new Database(':memory:').close()
    return (path, options = {}) => new Database(path, options)
  }),
  found('node:sqlite', () => {
    const { DatabaseSync } = require('node:sqlite')
    return (path, options = {}) => new DatabaseSync(path, options)
  }),
]

/** A library for tests in which it does not matter which; `TASKER_SQLITE` chooses one by name. */
const isChosen = ({ name, skip }) => !skip && name === (process.env.TASKER_SQLITE ?? name)
export const { open: openSqlite, name: sqliteName } = libraries.find(isChosen)

/** Carries out some work in a transaction, in words that both libraries have. */
export function inTransaction(db, work) {
  db.exec('BEGIN')
  try {
    work()
    db.exec('COMMIT')
  } catch (error) {
    db.exec('ROLLBACK')
    throw error
  }
}

/** The rows of an outbox. */
export const rowsOf = (db, table = 'tasker_outbox') =>
  db.prepare(`SELECT * FROM ${table} ORDER BY key`).all()
