// Copies, checks and exports of a file that is in use; its views from another process.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { file, gate, open, refused, root, started } from './open.mjs'

test('a backup in the same folder holds what was acknowledged, and can be opened', async t => {
  const store = file()
  const { runner, call } = gate()
  const tasker = await started(t, { read: runner }, { store })
  const [runs, waits] = await tasker.addTasks([
    { operation: 'read', data: { book: 7 } },
    { operation: 'other' },
  ])
  await call(0)
  const path = join(dirname(store), 'backup.db')
  assert.equal(await tasker.backup(path), undefined)
  const later = await tasker.addTask({ operation: 'other' })

  const copy = await started(t, { read: ({ data }) => data.book }, { store: path })
  assert.equal(await copy.waitForTaskOutputData(runs), 7)
  assert.equal((await copy.getTask(waits)).status, 'new')
  assert.equal(await copy.hasTask({ uuid: later }), false)
  assert.equal((await tasker.getTask(runs)).status, 'running')
})

test('a backup is replaced by the next one, and takes a file: URL', async t => {
  const store = file()
  const tasker = open(t, { store })
  const url = pathToFileURL(join(dirname(store), 'back up.db'))
  await tasker.backup(url)
  await tasker.addTask({ operation: 'read' })
  await tasker.backup(url)
  const copy = open(t, { store: url })
  assert.equal(await copy.countTasks(), 1)
})

test('a backup replaces nothing else', async t => {
  const store = file()
  const tasker = open(t, { store })
  const notes = join(dirname(store), 'notes.txt')
  writeFileSync(notes, 'these are no tasks')
  for (const path of [store, notes, '', ':memory:', 7, undefined]) {
    const error = await refused(tasker.backup(path), 'TASKER_INVALID')
    assert.equal(error.path, 'path', String(path))
  }
  const names = readdirSync(dirname(store)).filter(name => name.includes('partial'))
  assert.deepEqual(names, [])
})

test('a backup that is called off leaves nothing', async t => {
  const store = file()
  const tasker = open(t, { store })
  const path = join(dirname(store), 'backup.db')
  const reason = new Error('no longer')
  await assert.rejects(tasker.backup(path, { abortSignal: AbortSignal.abort(reason) }), reason)
  await refused(tasker.backup(path, { abortsignal: undefined }), 'TASKER_INVALID')
  await tasker.close()
  assert.deepEqual(
    readdirSync(dirname(store)).filter(name => name.startsWith('backup')),
    [],
  )
})

test('a close waits for a backup that was asked for before', async t => {
  const store = file()
  const tasker = open(t, { store })
  await tasker.addTask({ operation: 'read' })
  const path = join(dirname(store), 'backup.db')
  await Promise.all([tasker.backup(path), tasker.close()])
  assert.equal(await open(t, { store: path }).countTasks(), 1)
})

test('a sound file has no faults', async t => {
  const tasker = await started(t, { read: () => 1 })
  const uuid = await tasker.addTask({ operation: 'read' })
  await tasker.waitForTaskOutputData(uuid)
  await tasker.addTask({ operation: 'other', delay: '1h' })
  assert.deepEqual(await tasker.verify(), { tasks: 2, faults: [] })
})

test('an export has a line for each task, as getTask shows it', async t => {
  const tasker = await started(t, { read: ({ logger, data }) => logger.info(`book ${data.book}`) })
  const uuids = await tasker.addTasks([
    { operation: 'read', data: { book: 1 }, priority: Infinity },
    { operation: 'read', data: { book: 2 } },
    { operation: 'other', data: { book: 3 }, priority: -Infinity },
  ])
  await Promise.all(uuids.slice(0, 2).map(uuid => tasker.waitForTaskOutputData(uuid)))
  const lines = (await text(tasker.exportTasks({}, { withLogs: true }))).split('\n')
  assert.equal(lines.pop(), '')
  const tasks = lines.map(line => JSON.parse(line))
  assert.deepEqual(
    tasks.map(task => task.priority),
    ['Infinity', 0, '-Infinity'],
  )
  const shown = await tasker.getTask(uuids[1], { withLogs: true })
  assert.deepEqual(tasks[1], JSON.parse(JSON.stringify(shown)))
  assert.equal(tasks[1].logs[0].message, 'book 2')
  const some = await text(tasker.exportTasks({ 'data.book': { $gt: 2 } }, { fields: ['data'] }))
  assert.equal(some, '{"data":{"book":3}}\n')
  assert.throws(() => tasker.exportTasks({ $where: 1 }, { limit: 1 }), { code: 'TASKER_INVALID' })
})

const libraries = pathToFileURL(join(root, '__test__/contract/sqlite.mjs')).href
const LOOK = `
import { openSqlite, sqliteName } from '${libraries}'
const readOnly = sqliteName === 'node:sqlite' ? { readOnly: true } : { readonly: true }
const db = openSqlite(process.argv[1], readOnly)
console.log(JSON.stringify(db.prepare(process.argv[2]).all()))
`

test('another process reads the views while tasks run', async t => {
  const store = file()
  const { runner, call } = gate()
  const tasker = await started(
    t,
    { read: runner, fail: () => Promise.reject(new Error('no')) },
    { store },
  )
  tasker.on('task.failed', () => {})
  const uuids = await tasker.addTasks([
    { operation: 'read', data: { book: 7 }, label: 'the first', tags: ['red'], id: { order: 1 } },
    { operation: 'fail' },
    { operation: 'read', runAt: new Date('2099-01-02T03:04:05.678Z') },
  ])
  await call(0)
  await assert.rejects(tasker.waitForTaskOutputData(uuids[1]), { message: 'no' })
  const look = async sql => {
    const args = ['--input-type=module', '-e', LOOK, store, sql]
    return JSON.parse((await promisify(execFile)(process.execPath, args)).stdout)
  }
  const rows = await look('SELECT * FROM tasker_tasks ORDER BY seq')
  for (const [index, row] of rows.entries()) {
    const task = await tasker.getTask(uuids[index])
    const iso = date => date?.toISOString() ?? null
    assert.equal(row.uuid, uuids[index])
    assert.deepEqual(
      [row.operation, row.status, row.state, row.attempt, row.cause, row.label],
      [
        task.operation,
        task.status,
        task.state,
        task.attempt,
        task.cause ?? null,
        task.label ?? null,
      ],
    )
    assert.deepEqual(
      [row.created_at, row.started_at, row.ended_at, row.run_at],
      [iso(task.createdAt), iso(task.startedAt), iso(task.endedAt), iso(task.runAt)],
    )
    assert.deepEqual(JSON.parse(row.data), task.data ?? null)
  }
  assert.deepEqual([rows[0].tags, rows[0].id], ['["red"]', '{"order":1}'])
  assert.equal(JSON.parse(rows[1].error).message, 'no')
  const attempts = await look('SELECT uuid, ended_as FROM tasker_attempts ORDER BY seq')
  assert.deepEqual(attempts, [
    { uuid: uuids[0], ended_as: null },
    { uuid: uuids[1], ended_as: 'failed' },
  ])
})
