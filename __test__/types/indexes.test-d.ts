// Which paths `indexes` takes, and what `explainQuery` gives.
// Compiled by `tsc -p tsconfig.json` and by `__test__/package/types.test.mjs`, never run.

import { type IndexPath, type QueryExplanation, Tasker } from '../../index'

interface Operations {
  read: { data: { book: string; author: { name: string } }; result: { words: number } }
  none: { data?: undefined }
}

export const known: IndexPath<Operations>[] = [
  'data',
  'data.book',
  'data.author.name',
  'id',
  'label',
]
/** What the registry does not know may be there. */
export const other: IndexPath<Operations>[] = ['data.whatever', 'id.order']
// @ts-expect-error a result is not indexed
export const result: IndexPath<Operations> = 'result.words'
// @ts-expect-error tags are not indexed
export const tags: IndexPath = 'tags'
// @ts-expect-error a path begins with a field
export const book: IndexPath<Operations> = 'book'
// @ts-expect-error a label is a text
export const label: IndexPath = 'label.a'

const tasker = new Tasker<Operations>({ indexes: ['data.book', 'id.order'] })
export const loose: Tasker = new Tasker({ indexes: ['data.n'] })
export const constant = new Tasker({ indexes: ['data.n', 'label'] as const })
// @ts-expect-error it is a list
export const text = new Tasker({ indexes: 'data.n' })

export async function explained(): Promise<Tasker<Operations>> {
  const found: QueryExplanation<Operations> = await tasker.explainQuery(
    { 'data.book': 'dune', status: 'new' },
    { timeout: '1s' },
  )
  const rows: number = found.read + found.decided + found.matched
  if (found.index === null && rows > 0) return new Tasker<Operations>({ indexes: found.declare })
  // @ts-expect-error an explanation is of all that match
  await tasker.explainQuery({}, { limit: 1 })
  // @ts-expect-error a book is a text
  await tasker.explainQuery({ 'data.book': 7 })
  return tasker
}

/** Copies, checks and exports. */
export async function files(): Promise<string> {
  await tasker.backup('backup.db', { timeout: '1h' })
  await tasker.backup(new URL('file:///tmp/backup.db'))
  // @ts-expect-error: a path is a text or a URL
  await tasker.backup(7)
  const { tasks, faults } = await tasker.verify()
  // @ts-expect-error: nothing has such a field
  tasker.exportTasks({}, { fields: ['nothing'] })
  let text = `${tasks satisfies number} ${faults.join()}`
  for await (const line of tasker.exportTasks({}, { fields: ['uuid'] })) text += line
  return text
}
