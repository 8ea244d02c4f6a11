// Which paths of a query the registry knows, and what may stand for them.
// Compiled by `tsc -p tsconfig.json` and by `__test__/package/types.test.mjs`, never run.

import { type Query, Tasker } from '../../index'

interface Tree {
  name: string
  children: Tree[]
}

interface Operations {
  read: {
    data: { book: string; pages?: number; at: Date; kind: 'a' | 'b'; author: { name: string } }
    result: { words: number; lines: { text: string; n: number }[] }
  }
  list: { data: string[]; result: string[] }
  grow: { data: Tree; result: Record<string, number> }
  none: { data?: undefined }
}

const tasker = new Tasker<Operations>()

export const known: Query<Operations>[] = [
  { 'data.book': 'dune', 'data.pages': { $gt: 7 }, 'data.author.name': /^F/ },
  { 'data.kind': { $in: ['a', null] } },
  { 'data.at': { $lt: '2026' } },
  { 'result.words': null, 'result.lines.text': 'x' },
  { 'result.lines': { $size: 2 } },
  { 'result.lines': { text: 'x', n: 1 } },
  { 'data.children.children.name': 'leaf' },
  { 'data.name': { $exists: true, $type: 'string' } },
  { 'data.0': 'first', 'result.lines.0.n': 1, 'data.whatever.else': { $gt: 1 } },
  { 'result.any': 1 },
  { $or: [{ 'data.book': 'dune' }, { $nor: [{ 'data.pages': { $lte: 1 } }] }] },
]

// @ts-expect-error a book is a text
export const book: Query<Operations> = { 'data.book': 7 }
// @ts-expect-error pages are counted
export const pages: Query<Operations> = { 'data.pages': { $gt: 'x' } }
// @ts-expect-error no such kind
export const kind: Query<Operations> = { 'data.kind': 'c' }
// @ts-expect-error a name is a text, below too
export const deep: Query<Operations> = { $and: [{ 'data.author.name': { $ne: 7 } }] }
// @ts-expect-error a name is a text, three names deep
export const tree: Query<Operations> = { 'data.children.children.name': 7 }
// @ts-expect-error a line has a number
export const line: Query<Operations> = { 'result.lines.n': 'x' }

export async function anywhere(any: Tasker) {
  await tasker.findTasks({ operation: 'read', 'data.book': 'dune' })
  await tasker.hasTask({ 'data.book': 'dune', status: { $ne: 'done' } })
  await any.findTasks({ 'data.book': 7 })
  const loose: Tasker = tasker
  return loose
}
