/**
 * The option `store`: a path, a `file:` URL, or `':memory:'`; and paths of other files.
 *
 * Proof: `__test__/contract/options.test.mjs`.
 */

import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { invalid, spell, TaskerError } from './errors'

/** Whether it is a URL, of this realm or another. */
export const isUrl = (value: unknown): value is URL =>
  Object.prototype.toString.call(value) === '[object URL]'

/** The absolute path of a store, or `':memory:'`. A relative one is meant from where we are now. */
export function storeOf(given: unknown = 'tasker.db'): string {
  const store = isUrl(given) ? given.href : given
  if (typeof store !== 'string' || store === '') {
    throw invalid('store', "must be a path, a file: URL or ':memory:'")
  }
  if (store === ':memory:') return store
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(store) && !/^file:/i.test(store)) throw unsupported(store)
  return fileOf(store, 'store')
}

/** The absolute path of a file. A relative one is meant from where we are now. */
export function pathOf(given: unknown, name: string): string {
  const path = isUrl(given) ? given.href : given
  if (typeof path !== 'string' || path === '' || path === ':memory:') {
    throw invalid(name, 'must be a path or a file: URL')
  }
  return fileOf(path, name)
}

function fileOf(given: string, name: string): string {
  return /^file:/i.test(given) ? fileOfUrl(given, name) : resolve(given)
}

function fileOfUrl(text: string, name: string): string {
  // `file:tasks.db` would be a file of the root folder: a URL has no working directory.
  if (!/^file:\//i.test(text)) {
    throw invalid(name, 'a file: URL must be absolute; give a relative path as a path')
  }
  try {
    const url = new URL(text)
    if (url.search || url.hash) throw new Error('it must have neither ? nor #')
    return fileURLToPath(url)
  } catch (cause) {
    throw invalid(name, `cannot be opened as a file: URL: ${spell(cause)}`, cause)
  }
}

function unsupported(store: string): TaskerError {
  const [scheme] = store.split(':', 1)
  const what = /^rediss?:/i.test(store)
    ? 'this version has no Redis; give the path of a file'
    : `a server is not needed, and ${scheme}: addresses cannot be opened; tasker makes a SQLite ` +
      'file of its own: give its path'
  return new TaskerError('TASKER_UNSUPPORTED', `store: ${what}`, { path: 'store' })
}
