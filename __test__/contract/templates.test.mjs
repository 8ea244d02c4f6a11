import assert from 'node:assert/strict'
import { test } from 'node:test'
import { file, gate, imports, open, rejection, runs, started } from './open.mjs'

const running = (query, limit) => ({ scope: 'running', query, limit })

const ofBook = running({ 'data.book': { $task: 'data.book' } }, 0)

test('an operation says what holds for each of its tasks (I-6)', async t => {
  const { runner, call, calls } = gate()
  const tasker = await started(t, { read: runner })
  await tasker.defineOperation('read', { conditions: [ofBook] })
  const books = ['dune', 'dune', 'emma']
  await tasker.addTasks(books.map(book => ({ operation: 'read', data: { book } })))
  const [first, second] = [await call(0), await call(1)]
  assert.deepEqual([first.context.data.book, second.context.data.book], ['dune', 'emma'])
  assert.equal(calls.length, 2)
  first.resolve()
  assert.equal((await call(2)).context.data.book, 'dune')
  const [record] = await tasker.findOperations()
  assert.deepEqual(record.options.conditions, [ofBook])
})

test('conditions of a tasker hold for every task that anybody adds', async t => {
  const store = file()
  const first = open(t, { store, conditions: [ofBook] })
  const second = open(t, { store })
  await first.ready()
  const add = tasker => tasker.addTask({ operation: 'a', data: { book: 1 } })
  const shown = async uuid => (await first.getTask(uuid)).concurrency
  const expected = [running({ 'data.book': 1 }, 0)]
  assert.deepEqual(await shown(await add(first)), expected)
  assert.deepEqual(await shown(await add(second)), expected)
  assert.deepEqual(await first.findOperations().then(all => all.map(({ name }) => name)), ['a'])
  const third = open(t, { store, conditions: [] })
  assert.equal(await shown(await add(third)), undefined)
  assert.equal(await shown(await add(first)), undefined)
})

test('who replaces what other taskers have said is told, and the last one counts', async () => {
  const script = `${imports}
    import { once } from 'node:events'
    const store = ${JSON.stringify(file())}
    const told = []
    process.on('warning', ({ code, message }) => told.push([code, message]))
    const limits = limit => [{ scope: 'running', query: { operation: 'a' }, limit }]
    const opened = async conditions => {
      const tasker = new Tasker({ store, conditions })
      await tasker.ready()
      return tasker
    }
    const taskers = [await opened(limits(1)), await opened(limits(1)), await opened(undefined)]
    taskers.push(await opened(limits(2)))
    while (told.length === 0) await once(process, 'warning')
    const uuid = await taskers[0].addTask({ operation: 'a' })
    const { concurrency } = await taskers[0].getTask(uuid)
    for (const tasker of taskers) await tasker.close()
    const alone = await opened(limits(3))
    for (let n = 0; n < 2; n += 1) await alone.addTask({ operation: 'a' })
    await alone.close()
    console.log(JSON.stringify({ told, limit: concurrency[0].limit }))`
  const { told, limit } = JSON.parse(await runs(script))
  assert.equal(limit, 2)
  assert.deepEqual(
    told.map(([code]) => code),
    ['TASKER_CONDITIONS_REPLACED'],
  )
  assert.match(told[0][1], /"limit":1.*\] is .*"limit":2.*\] now; those of the last tasker count/)
})

test('what a runner is assigned with holds where nothing else is said', async t => {
  const tasker = open(t)
  tasker.assignRunner('a', () => {}, { conditions: [running({ label: 'x' }, 1)] })
  const uuid = await tasker.addTask({ operation: 'a' })
  assert.deepEqual((await tasker.getTask(uuid)).concurrency, [running({ label: 'x' }, 1)])
  await tasker.defineOperation('a', { conditions: [] })
  const free = await tasker.addTask({ operation: 'a' })
  assert.equal((await tasker.getTask(free)).concurrency, undefined)
})

test('what is wrong with a template is refused where it is said', async t => {
  const tasker = open(t)
  for (const [conditions, code, path] of [
    [7, 'TASKER_INVALID', 'conditions'],
    [[{ ...ofBook, limit: 'x' }], 'TASKER_INVALID', 'conditions[0].limit'],
    [
      [running({ $or: { $task: 'data.a' } }, 1)],
      ...['TASKER_INVALID_QUERY', 'conditions[0].query.$or'],
    ],
    [
      [running({ label: { $task: 'priority' } }, 1)],
      ...['TASKER_INVALID_QUERY', 'conditions[0].query.label.$task'],
    ],
  ]) {
    const errors = [
      await rejection(tasker.defineOperation('a', { conditions })),
      await rejection((async () => open(t, { conditions }))()),
    ]
    for (const error of errors) assert.deepEqual([error.code, error.path], [code, path])
  }
})

test('a value of a task is never an operator', async t => {
  const tasker = open(t, { conditions: [ofBook] })
  const error = await rejection(tasker.addTask({ operation: 'a', data: { book: { $gt: '' } } }))
  assert.deepEqual([error.code, error.path], ['TASKER_INVALID_QUERY', 'conditions'])
})
