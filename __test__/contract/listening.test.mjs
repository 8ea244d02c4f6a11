// listenTaskLogs: the lines of a task as they come.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Tasker } from '../../index.mjs'
import { file, gate, imports, open, refused, runs, started } from './open.mjs'

const messages = lines => lines.map(({ message }) => message)

/** All lines of a stream. */
async function all(stream) {
  const lines = []
  for await (const line of stream) lines.push(line)
  return lines
}

test('what is stored and what comes meet without a gap and without a double', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { read: runner })
  const uuid = await tasker.addTask({ operation: 'read' })
  const { context, resolve } = await call(0)
  const texts = Array.from({ length: 1_000 }, (_, n) => `line ${n}`)
  const heard = []
  const listeners = [false, true].map(async fromBeginning => {
    for await (const line of tasker.listenTaskLogs(uuid, { fromBeginning })) {
      heard.push(fromBeginning)
      if (line.message === 'line 0') assert.ok(line.at instanceof Date)
    }
  })
  for (const text of texts) {
    context.logger.info(text)
    if (text.endsWith('00')) await tasker.getTask(uuid)
  }
  const late = all(tasker.listenTaskLogs(uuid, { fromBeginning: true }))
  resolve()
  await Promise.all(listeners)
  assert.deepEqual(messages(await late), texts)
  assert.equal(heard.filter(Boolean).length, texts.length)
})

test('without fromBeginning only what comes after the call is heard', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { read: runner })
  const uuid = await tasker.addTask({ operation: 'read' })
  const { context, resolve } = await call(0)
  context.logger.info('before')
  // A line is stored a moment after it was written.
  const stored = async () => (await tasker.getTask(uuid, { withLogs: true })).logs
  while ((await stored()).length === 0);
  const lines = tasker.listenTaskLogs(uuid)
  await tasker.getTask(uuid)
  context.logger.info('after')
  resolve()
  assert.deepEqual(messages(await all(lines)), ['after'])
})

test('a slow listener loses nothing', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { read: runner })
  const uuid = await tasker.addTask({ operation: 'read' })
  const { context, resolve } = await call(0)
  const lines = tasker.listenTaskLogs(uuid, { fromBeginning: true })
  context.logger.info('line 0')
  assert.equal((await lines.next()).value.message, 'line 0')
  for (let n = 1; n < 600; n++) context.logger.info(`line ${n}`)
  resolve()
  await tasker.waitForTaskOutputData(uuid)
  assert.equal((await all(lines)).length, 599)
})

test('levels are left out, and the attempts of a task follow each other', async t => {
  let attempts = 0
  const read = ({ logger }) => {
    logger.debug('quiet')
    logger.warning(`attempt ${++attempts}`, { book: 7 })
    if (attempts < 3) throw new Error('again')
  }
  const tasker = await started(t, { read })
  const uuid = await tasker.addTask({ operation: 'read', retry: 3 })
  const lines = await all(tasker.listenTaskLogs(uuid, { fromBeginning: true }))
  assert.deepEqual(messages(lines), ['attempt 1', 'attempt 2', 'attempt 3'])
  assert.deepEqual([lines[2].attempt, lines[2].level, lines[2].fields], [3, 'warning', { book: 7 }])
  const grave = tasker.listenTaskLogs(uuid, { fromBeginning: true, logsMaxLevel: 'error' })
  assert.deepEqual(await all(grave), [])
})

test('it ends with its task, however that ends', async t => {
  const tasker = open(t)
  const [aborted, removed] = await tasker.addTasks([{ operation: 'a' }, { operation: 'a' }])
  const lines = tasker.listenTaskLogs(aborted)
  const next = lines.next()
  await tasker.abortTask(aborted)
  assert.deepEqual(await next, { value: undefined, done: true })
  await tasker.abortTask(removed)
  const over = tasker.listenTaskLogs(removed)
  assert.deepEqual(await over.next(), { value: undefined, done: true })
})

test('an unknown task rejects the first step', async t => {
  const tasker = open(t)
  const unknown = '00000000-0000-7000-8000-000000000000'
  await refused(tasker.listenTaskLogs(unknown).next(), 'TASKER_NOT_FOUND')
  const options = { fromBeginning: true }
  await refused(tasker.listenTaskLogs(unknown, options).next(), 'TASKER_NOT_FOUND')
})

test('wrong arguments throw at once', async t => {
  const tasker = open(t)
  const uuid = await tasker.addTask({ operation: 'a' })
  const code = 'TASKER_INVALID'
  for (const [options, path] of [
    [{ fromBeginning: 1 }, 'fromBeginning'],
    [{ logsMaxLevel: 'loud' }, 'logsMaxLevel'],
    [{ frombeginning: true }, 'frombeginning'],
  ]) {
    assert.throws(() => tasker.listenTaskLogs(uuid, options), { code, path })
  }
})

test('a signal ends it, and so does the end of the tasker', async () => {
  const tasker = new Tasker(':memory:')
  const uuid = await tasker.addTask({ operation: 'a' })
  const controller = new AbortController()
  const lines = tasker.listenTaskLogs(uuid, { abortSignal: controller.signal })
  const next = lines.next()
  const reason = new Error('no longer')
  controller.abort(reason)
  await assert.rejects(next, reason)
  assert.deepEqual(await lines.next(), { value: undefined, done: true })
  for (const fromBeginning of [false, true]) {
    const late = tasker.listenTaskLogs(uuid, { fromBeginning, abortSignal: controller.signal })
    await assert.rejects(late.next(), reason)
  }
  const other = tasker.listenTaskLogs(uuid).next()
  await tasker.ready()
  const ended = refused(other, 'TASKER_CLOSED')
  await tasker.close()
  await ended
})

test('who leaves lets go, and others go on', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { read: runner })
  const uuid = await tasker.addTask({ operation: 'read' })
  const { context, resolve } = await call(0)
  context.logger.info('one')
  for await (const line of tasker.listenTaskLogs(uuid, { fromBeginning: true })) {
    assert.equal(line.message, 'one')
    break
  }
  const stays = all(tasker.listenTaskLogs(uuid, { fromBeginning: true }))
  context.logger.info('two')
  resolve()
  assert.deepEqual(messages(await stays), ['one', 'two'])
})

test('lines of another tasker on the file come too', async t => {
  const store = file()
  const { runner, call } = gate()
  const worker = await started(t, { read: runner }, { store })
  const watcher = open(t, { store })
  const uuid = await watcher.addTask({ operation: 'read' })
  const { context, resolve } = await call(0)
  const lines = watcher.listenTaskLogs(uuid, { fromBeginning: true })
  for (let n = 0; n < 20; n++) {
    context.logger.info(`line ${n}`)
    assert.equal((await lines.next()).value.message, `line ${n}`)
  }
  const end = lines.next()
  resolve()
  assert.deepEqual(await end, { value: undefined, done: true })
  assert.equal((await worker.getTask(uuid)).status, 'done')
})

test('a listener that waits can be left, and holds nothing any more', async () => {
  const script = `${imports}
    const tasker = new Tasker(':memory:')
    const uuid = await tasker.addTask({ operation: 'a' })
    for (const fromBeginning of [false, true]) {
      const lines = tasker.listenTaskLogs(uuid, { fromBeginning })
      const next = lines.next()
      await tasker.ready()
      const ends = [await lines.return(), await next, await lines.next()]
      console.log(ends.every(({ done, value }) => done && value === undefined))
    }
  `
  assert.equal(await runs(script), 'true\ntrue\n')
})
