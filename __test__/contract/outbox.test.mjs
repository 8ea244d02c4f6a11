import assert from 'node:assert/strict'
import { once } from 'node:events'
import { linkSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setImmediate as tick } from 'node:timers/promises'
import {
  file,
  folder,
  gate,
  imports,
  next,
  open,
  refused,
  rejection,
  runs,
  started,
} from './open.mjs'
import { inTransaction, libraries, openSqlite, rowsOf } from './sqlite.mjs'

const running = (query, limit) => ({ scope: 'running', query, limit })

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** Asserts that a call throws an error of tasker, and gives it. */
function thrown(work, code, path) {
  try {
    work()
  } catch (error) {
    assert.equal(error.code, code, error.stack)
    if (path !== undefined) assert.equal(error.path, path)
    return error
  }
  return assert.fail('nothing was thrown')
}

test('a SQLite library is there', () => {
  assert.ok(libraries.some(({ skip }) => !skip))
})

for (const library of libraries) {
  describe(`with ${library.name}`, { skip: library.skip }, () => {
    /** A file of an application; closed after the test, if the test has not done it. */
    function openApp(t, path = join(folder(), 'app.db'), options = {}) {
      const db = library.open(path, options)
      t.after(() => {
        if (db.open === true || db.isOpen !== false) {
          try {
            db.close()
          } catch {}
        }
      })
      return db
    }

    function setUp(t, options) {
      const db = openApp(t)
      db.exec('PRAGMA journal_mode = WAL; CREATE TABLE orders (id INTEGER PRIMARY KEY)')
      const tasker = open(t, options)
      return { db, tasker, outbox: tasker.outbox(db) }
    }

    test('a table that was dropped is made again', async t => {
      const { db, tasker, outbox } = setUp(t)
      outbox.addTask({ operation: 'a' })
      await outbox.flush()
      db.exec('DROP TABLE tasker_outbox')
      outbox.addTask({ operation: 'a' })
      await outbox.flush()
      assert.equal(await tasker.countTasks(), 2)
    })

    test('a task appears after the commit, and its key leads to it (I-20)', async t => {
      const { db, tasker, outbox } = setUp(t)
      let key
      inTransaction(db, () => {
        db.prepare('INSERT INTO orders VALUES (7)').run()
        key = outbox.addTask({ operation: 'confirm', data: { order: 7 }, priority: 3 })
      })
      assert.match(key, UUID_V7)
      const task = await tasker.getTask(await outbox.uuidOf(key))
      assert.deepEqual([task.operation, task.data, task.priority], ['confirm', { order: 7 }, 3])
      await outbox.flush()
      assert.deepEqual(rowsOf(db), [])
    })

    test('a task of an outbox is called as it was added, also by another program', async t => {
      const { db, tasker, outbox } = setUp(t)
      const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
      const trace = { traceparent }
      const called = { id: { order: 7 }, label: 'Order 7', tags: ['shop'], trace }
      const key = outbox.addTask({ operation: 'confirm', ...called })
      thrown(() => outbox.addTask({ operation: 'a', tags: [''] }), 'TASKER_INVALID', 'tags[0]')
      const insert = db.prepare('INSERT INTO tasker_outbox (key, task) VALUES (?, ?)')
      insert.run(Buffer.alloc(16, 1), JSON.stringify({ operation: 'raw', ...called }))
      const { id, label, tags, trace: kept } = await tasker.getTask(await outbox.uuidOf(key))
      assert.deepEqual({ id, label, tags, trace: kept }, called)
      assert.equal(await tasker.countTasks({ 'id.order': 7, tags: 'shop' }), 2)
    })

    test('a row has conditions as a task of addTask has them (I-20)', async t => {
      const { db, tasker, outbox } = setUp(t, { conditions: [running({ label: 'x' }, 7)] })
      const book = running({ 'data.book': { $task: 'data.book' } }, 0)
      await tasker.defineOperation('read', { conditions: [book] })
      const task = { operation: 'read', data: { book: 'dune' }, concurrency: [running({}, 3)] }
      const keys = []
      inTransaction(db, () => {
        for (let n = 0; n < 2; n += 1) keys.push(outbox.addTask(task))
      })
      const uuids = [await tasker.addTask(task)]
      for (const key of keys) uuids.push(await outbox.uuidOf(key))
      const shown = await Promise.all(
        uuids.map(async uuid => (await tasker.getTask(uuid)).concurrency),
      )
      const own = [running({ label: 'x' }, 7), running({ 'data.book': 'dune' }, 0), running({}, 3)]
      assert.deepEqual(shown, [own, own, own])
      const { runner, call, calls } = gate()
      tasker.assignRunner('read', runner)
      await tasker.start()
      for (let n = 0; n < 3; n += 1) {
        const { resolve } = await call(n)
        assert.equal(calls.length, n + 1)
        resolve()
      }
    })

    test('a row whose conditions cannot hold its values is refused alone', async t => {
      const { db, tasker, outbox } = setUp(t)
      const book = running({ 'data.book': { $task: 'data.book' } }, 0)
      await tasker.defineOperation('read', { conditions: [book] })
      const wrong = { operation: 'read', concurrency: [running({ createdAt: 1 }, 0)] }
      const path = 'concurrency[0].query.createdAt'
      thrown(() => outbox.addTask(wrong), 'TASKER_INVALID_QUERY', path)
      const faults = []
      tasker.on('error', error => faults.push(error.code))
      const keys = [{ $gt: '' }, 'dune'].map(book =>
        outbox.addTask({ operation: 'read', data: { book } }),
      )
      await outbox.flush()
      assert.equal(await outbox.uuidOf(keys[0]), undefined)
      assert.equal(await tasker.countTasks({ 'data.book': 'dune' }), 1)
      assert.deepEqual(faults, ['TASKER_INVALID_QUERY'])
      const [row] = rowsOf(db)
      assert.match(row.refused, /^conditions:.*data\.book/)
    })

    test('a row for which the store has no room holds no other up, and is tried again', async t => {
      const { db, tasker, outbox } = setUp(t)
      const crowded = n => ({
        operation: 'read',
        concurrency: [running({ priority: { $gt: n } }, 0)],
      })
      await tasker.addTasks(Array.from({ length: 1_000 }, (_, n) => crowded(n)))
      const told = once(tasker, 'error')
      const tasks = [crowded(-1), { operation: 'free' }, crowded(-2)]
      const keys = tasks.map(task => outbox.addTask(task))
      const [fault] = await told
      assert.equal(fault.code, 'TASKER_LIMIT')
      while ((await tasker.countTasks({ operation: 'free' })) === 0) await tick()
      await assert.rejects(outbox.flush(), { code: 'TASKER_LIMIT', path: '[0].concurrency' })
      assert.deepEqual(
        rowsOf(db).map(({ refused }) => refused),
        [null, null],
      )
      await tasker.abortTasks({ operation: 'read' })
      const uuids = []
      while (uuids.length < 2) {
        const key = keys[2 * uuids.length]
        const uuid = await outbox.uuidOf(key).catch(() => undefined)
        if (uuid !== undefined) uuids.push(uuid)
      }
      assert.equal(await tasker.countTasks({ status: 'new' }), 3)
    })

    test('nobody has to ask: it runs soon after the commit', async t => {
      const { db, tasker, outbox } = setUp(t)
      tasker.assignRunner('confirm', ({ data }) => data + 1)
      await tasker.start()
      const done = next(tasker, 'task.done')
      inTransaction(db, () => outbox.addTask({ operation: 'confirm', data: 1 }))
      const [, result] = await done
      assert.equal(result, 2)
    })

    test('a task never appears after a rollback (I-20)', async t => {
      const { db, tasker, outbox } = setUp(t)
      const keys = []
      const boom = new Error('boom')
      const work = () => {
        keys.push(outbox.addTask({ operation: 'confirm' }))
        throw boom
      }
      assert.throws(() => inTransaction(db, work), boom)
      assert.equal(await outbox.uuidOf(keys[0]), undefined)
      assert.equal(await tasker.countTasks(), 0)
    })

    test('what a savepoint takes back does not appear, the rest does (I-20)', async t => {
      const { db, tasker, outbox } = setUp(t)
      inTransaction(db, () => {
        outbox.addTask({ operation: 'kept' })
        db.exec('SAVEPOINT inner')
        outbox.addTask({ operation: 'lost' })
        db.exec('ROLLBACK TO inner; RELEASE inner')
        outbox.addTask({ operation: 'kept' })
      })
      await outbox.flush()
      const tasks = await tasker.findTasks()
      assert.deepEqual(
        tasks.map(({ operation }) => operation),
        ['kept', 'kept'],
      )
    })

    test('while a transaction stays open nothing of it is seen (I-20)', async t => {
      for (const end of ['COMMIT', 'ROLLBACK']) {
        const { db, tasker, outbox } = setUp(t)
        db.exec('BEGIN')
        outbox.addTask({ operation: 'a' })
        const flushed = outbox.flush()
        // The engine answers this after several turns of the loop, in which the table is looked at.
        for (let i = 0; i < 50; i += 1) assert.equal(await tasker.countTasks(), 0)
        db.exec(end)
        await flushed
        assert.equal(await tasker.countTasks(), end === 'COMMIT' ? 1 : 0)
      }
    })

    test('outside of a transaction it is a transaction of its own', async t => {
      const { tasker, outbox } = setUp(t)
      const uuid = await outbox.uuidOf(outbox.addTask({ operation: 'a', data: [1] }))
      assert.deepEqual((await tasker.getTask(uuid)).data, [1])
    })

    test('a definition means what it means to addTask', async t => {
      const { db, tasker, outbox } = setUp(t, { runTimeout: '1h', onInterrupted: 'fail' })
      const definitions = [
        { operation: 'a' },
        { operation: 'a', data: { at: new Date(0), none: undefined, text: 'lone \ud800 ☃\u0000' } },
        { operation: 'a', priority: -Infinity, runTimeout: '2m', onStop: 'abort' },
        { operation: 'a', priority: 0.5, runTimeout: false, onInterrupted: 'retry' },
        { operation: 'b', queueTimeout: { after: '2h', then: { priority: Infinity } } },
      ]
      const keys = []
      inTransaction(db, () => {
        for (const one of definitions) keys.push(outbox.addTask(one))
      })
      for (const [i, key] of keys.entries()) {
        const [a, b] = [await outbox.uuidOf(key), await tasker.addTask(definitions[i])]
        const strip = ({ uuid: _, seq: __, createdAt: ___, ...rest }) => rest
        assert.deepEqual(strip(await tasker.getTask(a)), strip(await tasker.getTask(b)))
      }
    })

    test('a wrong definition is refused at once, as by addTask, and writes nothing', async t => {
      const { db, tasker, outbox } = setUp(t)
      const wrong = [
        undefined,
        {},
        { operation: '' },
        { operation: 'x'.repeat(300) },
        { operation: 'a', data: 1n },
        { operation: 'a', priority: Number.NaN },
        { operation: 'a', runTimeout: '5 minutes' },
        { operation: 'a', onInterrupted: 'explode' },
        { operation: 'a', oops: 1 },
        { operation: 'a', data: 'x'.repeat(17 * 1024 * 1024) },
      ]
      inTransaction(db, () => {
        for (const one of wrong) assert.throws(() => outbox.addTask(one))
        outbox.addTask({ operation: 'sound' })
      })
      for (const one of wrong) {
        const { code, path, message } = await rejection(tasker.addTask(one))
        const error = thrown(() => outbox.addTask(one), code, path)
        assert.equal(error.message, message)
      }
      const abortSignal = new AbortController().signal
      thrown(() => outbox.addTask({ operation: 'a', abortSignal }), 'TASKER_INVALID', 'abortSignal')
      await outbox.flush()
      assert.equal(await tasker.countTasks(), 1)
    })

    test('rows that a crash left are taken up by the next outbox (I-20)', async t => {
      const store = file()
      const { db, tasker, outbox } = setUp(t, { store })
      const key = outbox.addTask({ operation: 'a', data: 1 })
      await tasker.close()
      assert.equal(rowsOf(db).length, 1)
      const again = open(t, { store })
      const added = next(again, 'task.added')
      const later = again.outbox(db)
      const [uuid] = await added
      assert.equal(await later.uuidOf(key), uuid)
      assert.deepEqual(rowsOf(db), [])
    })

    test('a row that comes again makes no second task, in any process (I-2, I-20)', async t => {
      const store = file()
      const { db, tasker, outbox } = setUp(t, { store })
      const key = outbox.addTask({ operation: 'a' })
      const [{ key: bytes, task }] = rowsOf(db)
      const uuid = await outbox.uuidOf(key)
      const repeat = () =>
        db.prepare('INSERT INTO tasker_outbox (key, task) VALUES (?, ?)').run(bytes, task)
      const heard = []
      tasker.on('task.added', one => heard.push(one))
      repeat()
      await outbox.flush()
      await tasker.close()
      repeat()
      const again = open(t, { store })
      again.on('task.added', one => heard.push(one))
      await again.outbox(db).flush()
      assert.deepEqual(rowsOf(db), [])
      assert.equal(await again.countTasks(), 1)
      assert.equal(await again.outbox(db).uuidOf(key), uuid)
      assert.deepEqual(heard, [])
    })

    test('a row that cannot be a task stays, says why, and holds nothing up', async t => {
      const { db, tasker, outbox } = setUp(t)
      const insert = db.prepare('INSERT INTO tasker_outbox (key, task) VALUES (?, ?)')
      const texts = ['{}', 'no JSON', '{"operation":"a"}],["x",{}', '{"operation":"a","n":1}']
      for (const [i, text] of texts.entries()) insert.run(Buffer.alloc(16, i), text)
      insert.run(Buffer.alloc(16, 9), '{"operation":"sound"}')
      const told = []
      tasker.on('error', error => told.push(error))
      await outbox.flush()
      await outbox.flush()
      const tasks = await tasker.findTasks()
      assert.deepEqual(
        tasks.map(({ operation }) => operation),
        ['sound'],
      )
      const rows = rowsOf(db)
      assert.deepEqual(
        rows.map(({ task }) => task),
        texts,
      )
      assert.ok(rows.every(({ refused: why }) => why.length > 10))
      assert.deepEqual(
        told.map(({ code }) => code),
        texts.map(() => 'TASKER_INVALID'),
      )
    })

    test('many rows come in the order of the calls, page by page', async t => {
      const { db, tasker, outbox } = setUp(t)
      inTransaction(db, () => {
        for (let n = 0; n < 5_000; n += 1) outbox.addTask({ operation: 'a', data: n })
      })
      await outbox.flush()
      const tasks = await tasker.findTasks({}, { sort: { seq: 1 } })
      assert.deepEqual(
        tasks.map(({ data }) => data),
        Array.from({ length: 5_000 }, (_, n) => n),
      )
    })

    test('large rows come too', async t => {
      const { tasker, outbox } = setUp(t)
      const data = 'x'.repeat(3 * 1024 * 1024)
      for (let i = 0; i < 4; i += 1) outbox.addTask({ operation: 'a', data })
      await outbox.flush()
      assert.equal(await tasker.countTasks({ data }), 4)
    })

    test('an outbox that is opened in a transaction outlives its rollback', async t => {
      const db = openApp(t)
      const tasker = open(t)
      db.exec('BEGIN')
      const outbox = tasker.outbox(db)
      outbox.addTask({ operation: 'lost' })
      db.exec('ROLLBACK')
      inTransaction(db, () => outbox.addTask({ operation: 'kept' }))
      await outbox.flush()
      assert.deepEqual(
        (await tasker.findTasks()).map(({ operation }) => operation),
        ['kept'],
      )
    })

    test('last_insert_rowid() stays that of the application', t => {
      const { db, outbox } = setUp(t)
      db.exec('INSERT INTO orders VALUES (41)')
      outbox.addTask({ operation: 'a' })
      const { id } = db.prepare('SELECT CAST(last_insert_rowid() AS TEXT) AS id').all()[0]
      assert.equal(id, '41')
    })

    test('events of these tasks are told once, in order', async t => {
      const { db, tasker, outbox } = setUp(t)
      tasker.assignRunner('a', () => 1)
      const heard = []
      for (const event of ['task.add', 'task.added', 'task.run', 'task.done']) {
        tasker.on(event, () => heard.push(event))
      }
      await tasker.start()
      const done = next(tasker, 'task.ended')
      inTransaction(db, () => outbox.addTask({ operation: 'a' }))
      await done
      await outbox.flush()
      assert.deepEqual(heard, ['task.add', 'task.added', 'task.run', 'task.done'])
    })

    test('a file that another handle has locked is tried again', async t => {
      const path = join(folder(), 'app.db')
      const db = openApp(t, path, { timeout: 0 })
      const other = openApp(t, path, { timeout: 0 })
      db.exec('PRAGMA journal_mode = WAL; CREATE TABLE orders (id INTEGER PRIMARY KEY)')
      const tasker = open(t)
      const outbox = tasker.outbox(db)
      outbox.addTask({ operation: 'a' })
      const added = next(tasker, 'task.added')
      other.exec('BEGIN IMMEDIATE')
      await added
      // The task is there; its row cannot be deleted yet.
      await tick()
      assert.equal(rowsOf(db).length, 1)
      other.exec('COMMIT')
      await outbox.flush()
      assert.deepEqual(rowsOf(db), [])
      assert.equal(await tasker.countTasks(), 1)
    })

    test('a statement that is being iterated holds up the rows, not the task', async t => {
      const { db, tasker, outbox } = setUp(t)
      db.exec('INSERT INTO orders VALUES (1), (2), (3)')
      outbox.addTask({ operation: 'a' })
      const added = next(tasker, 'task.added')
      const rows = db.prepare('SELECT id FROM orders').iterate()
      rows.next()
      await added
      await tick()
      rows.return()
      await outbox.flush()
      assert.deepEqual(rowsOf(db), [])
      assert.equal(await tasker.countTasks(), 1)
    })

    test('an open iterator makes flush and uuidOf wait, and refuses nothing (B-11)', async t => {
      const { db, tasker, outbox } = setUp(t)
      db.exec('INSERT INTO orders VALUES (1), (2), (3)')
      const { addTask, flush, uuidOf } = outbox // They need no `this` (B-14).
      const key = addTask({ operation: 'a' })
      const rows = db.prepare('SELECT id FROM orders').iterate()
      rows.next()
      let settled = 0
      const waits = [flush(), uuidOf(key)]
      for (const wait of waits) wait.finally(() => (settled += 1)).catch(() => {})
      // Each look at the table asks for the timeout; a flush is refused after ten faults.
      const looks = t.mock.method(db, 'prepare')
      while (looks.mock.callCount() < 36 && settled === 0) await tick()
      rows.return()
      const [, uuid] = await Promise.all(waits)
      assert.equal((await tasker.getTask(uuid)).operation, 'a')
      assert.deepEqual(rowsOf(db), [])
    })

    test('what the outbox does by itself waits only a moment for a lock (S-2)', async t => {
      const path = join(folder(), 'app.db')
      const db = openApp(t, path)
      db.exec('PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 4000')
      const tasker = open(t)
      const outbox = tasker.outbox(db)
      const timeout = () => Object.values(db.prepare('PRAGMA busy_timeout').get())[0]
      outbox.addTask({ operation: 'a' })
      const other = openApp(t, path)
      other.exec('BEGIN IMMEDIATE')
      const waits = []
      const exec = db.exec.bind(db)
      t.mock.method(db, 'exec', sql => {
        if (/^BEGIN/.test(sql)) waits.push(timeout())
        return exec(sql)
      })
      const flushed = outbox.flush()
      while (waits.length < 3) await tick()
      other.exec('COMMIT')
      await flushed
      assert.ok(
        waits.every(ms => ms <= 20),
        `${waits}`,
      )
      assert.equal(timeout(), 4000)
      assert.equal(await tasker.countTasks(), 1)
    })

    test('a closed handle is told, and the rows wait for the next one (I-20)', async t => {
      const path = join(folder(), 'app.db')
      const db = openApp(t, path)
      const tasker = open(t)
      const outbox = tasker.outbox(db)
      const key = outbox.addTask({ operation: 'a' })
      db.close()
      await refused(outbox.flush(), 'TASKER_CLOSED')
      await refused(outbox.uuidOf(key), 'TASKER_CLOSED')
      assert.equal(await tasker.countTasks(), 0)
      const later = tasker.outbox(openApp(t, path))
      assert.ok(await later.uuidOf(key))
      assert.equal(await tasker.countTasks(), 1)
    })

    test('a closed tasker takes nothing (I-14)', async t => {
      const { db, tasker, outbox } = setUp(t)
      db.exec('BEGIN')
      outbox.addTask({ operation: 'a' })
      const flushed = refused(outbox.flush(), 'TASKER_CLOSED')
      await tasker.close()
      await flushed
      db.exec('COMMIT')
      thrown(() => outbox.addTask({ operation: 'a' }), 'TASKER_CLOSED')
      thrown(() => tasker.outbox(db), 'TASKER_CLOSED')
      await refused(outbox.flush(), 'TASKER_CLOSED')
      await refused(outbox.uuidOf('018f0000-0000-7000-8000-000000000001'), 'TASKER_CLOSED')
      assert.equal(rowsOf(db).length, 1)
    })

    test('a store of tasker is refused, by whatever name (F-9)', async t => {
      const [store, another] = [file(), file()]
      const tasker = open(t, { store })
      await open(t, { store: another }).close()
      const places = [store, join(folder(), 'symbolic'), join(folder(), 'hard'), another]
      await tasker.ready()
      symlinkSync(store, places[1])
      linkSync(store, places[2])
      for (const path of places) {
        // A look that changes nothing and is not closed before the tasker: see the README.
        const db = library.open(path)
        const error = thrown(() => tasker.outbox(db), 'TASKER_FILE_SHARED', 'db')
        assert.match(error.message, /is a store of tasker/)
        t.after(() => tasker.close().then(() => db.close()))
      }
    })

    test('a store that does not exist yet is refused too', t => {
      const store = file()
      const db = openApp(t, store)
      const tasker = open(t, { store })
      thrown(() => tasker.outbox(db), 'TASKER_FILE_SHARED', 'db')
    })

    test('a file in memory may have an outbox', async t => {
      const db = openApp(t, ':memory:')
      const tasker = open(t)
      const outbox = tasker.outbox(db)
      assert.ok(await outbox.uuidOf(outbox.addTask({ operation: 'a' })))
    })

    test('one table belongs to one tasker; another one names its own', async t => {
      const path = join(folder(), 'app.db')
      const [db, second] = [openApp(t, path), openApp(t, path)]
      const [tasker, other] = [open(t), open(t)]
      const outbox = tasker.outbox(db)
      thrown(() => other.outbox(db), 'TASKER_INVALID', 'table')
      thrown(() => other.outbox(second), 'TASKER_INVALID', 'table')
      const own = other.outbox(db, { table: 'mails' })
      inTransaction(db, () => {
        outbox.addTask({ operation: 'here' })
        own.addTask({ operation: 'there' })
      })
      await Promise.all([outbox.flush(), own.flush()])
      const names = async one => (await one.findTasks()).map(({ operation }) => operation)
      assert.deepEqual([await names(tasker), await names(other)], [['here'], ['there']])
      await tasker.close()
      assert.ok(other.outbox(db))
    })

    test('the same handle gives the same outbox', t => {
      const { db, tasker, outbox } = setUp(t)
      assert.equal(tasker.outbox(db), outbox)
      assert.notEqual(tasker.outbox(db, { table: 'other' }), outbox)
    })
  })
}

test('how a handle gives numbers and rows does not matter', async t => {
  const handles = {
    'better-sqlite3': open => {
      const db = open(':memory:')
      db.defaultSafeIntegers()
      return db
    },
    // Where Node.js does not know an option it ignores it.
    'node:sqlite': open => open(':memory:', { readBigInts: true, returnArrays: true }),
  }
  for (const { name, open: make, skip } of libraries) {
    if (skip) continue
    const db = handles[name](make)
    const outbox = open(t).outbox(db)
    assert.ok(await outbox.uuidOf(outbox.addTask({ operation: 'a' })), name)
    db.close()
  }
})

test('what is no handle is refused', t => {
  const tasker = open(t)
  const asynchronous = { exec() {}, prepare: () => ({ all() {}, run() {} }) }
  const wrong = [undefined, null, 'app.db', {}, { prepare() {} }, asynchronous]
  for (const db of wrong) thrown(() => tasker.outbox(db), 'TASKER_INVALID', 'db')
  const db = openSqlite(':memory:')
  t.after(() => db.close())
  const tables = ['', 'a b', 'x"y', '1st', 'sqlite_outbox', 'x'.repeat(64), 7, null]
  for (const table of tables) thrown(() => tasker.outbox(db, { table }), 'TASKER_INVALID', 'table')
  thrown(() => tasker.outbox(db, { tables: 'x' }), 'TASKER_INVALID', 'tables')
})

test('what is no key is refused', async t => {
  const db = openSqlite(':memory:')
  t.after(() => db.close())
  const outbox = open(t).outbox(db)
  for (const key of [undefined, '', 7, 'x']) {
    await refused(outbox.uuidOf(key), 'TASKER_INVALID', 'key')
  }
})

test('keys grow with the calls, whatever the clock does', async t => {
  const db = openSqlite(':memory:')
  t.after(() => db.close())
  const tasker = await started(t)
  const outbox = tasker.outbox(db)
  const now = Date.now()
  t.mock.timers.enable({ apis: ['Date'], now })
  const add = () => outbox.addTask({ operation: 'a' })
  const keys = Array.from({ length: 10_000 }, add)
  t.mock.timers.setTime(now - 3_600_000)
  keys.push(add())
  t.mock.timers.setTime(now + 3_600_000)
  keys.push(add())
  assert.deepEqual([...keys].sort(), keys)
  assert.equal(new Set(keys).size, keys.length)
})

/** A program with a tasker and the file of an application. */
const program = (store, options, body) => `${imports}
  import { openSqlite } from './__test__/contract/sqlite.mjs'
  const db = openSqlite(${JSON.stringify(`${store}.app`)})
  const tasker = new Tasker({ store: ${JSON.stringify(store)}, ...${JSON.stringify(options)} })
  const outbox = tasker.outbox(db)
  ${body}`

const countIn = async (t, store) => open(t, { store }).countTasks()

test('a process that ends by itself hands over first what it committed', async t => {
  const store = file()
  const body = "db.exec('BEGIN'); outbox.addTask({ operation: 'a' }); db.exec('COMMIT')"
  await runs(program(store, {}, body))
  assert.equal(await countIn(t, store), 1)
})

test('an open transaction keeps no process alive', async t => {
  const store = file()
  await runs(program(store, {}, "db.exec('BEGIN'); outbox.addTask({ operation: 'a' })"))
  assert.equal(await countIn(t, store), 0)
})

test('a flush keeps the process alive as keepAlive says, and no longer', async t => {
  const body = `db.exec('BEGIN'); outbox.addTask({ operation: 'a' })
    outbox.flush().then(() => console.log('flushed'))`
  // The timer keeps no process alive: if flush did not, this one would end before.
  const commit = `;setTimeout(() => db.exec('COMMIT'), 20).unref()`
  assert.equal(await runs(program(file(), {}, body + commit)), 'flushed\n')
  const store = file()
  assert.equal(await runs(program(store, { keepAlive: 'never' }, body)), '')
  assert.equal(await countIn(t, store), 0)
})

test('a tasker that is let go can be collected while the handle lives', async () => {
  const script = program(
    file(),
    { keepAlive: 'never' },
    `
    await outbox.flush()
    const gone = new Promise(resolve => {
      globalThis.registry = new FinalizationRegistry(resolve)
    })
    globalThis.registry.register(box.tasker, 1)
    box.tasker = box.outbox = undefined
    const timer = setInterval(() => globalThis.gc(), 10)
    await gone
    clearInterval(timer)
    db.exec('SELECT 1')
    console.log('collected')`,
  )
  const held = script
    .replace('const tasker = ', 'const box = {}; box.tasker = ')
    .replace('const outbox = tasker', 'box.outbox = box.tasker')
    .replace('outbox.flush', 'box.outbox.flush')
  assert.equal(await runs(held, { flags: ['--expose-gc'] }), 'collected\n')
})
