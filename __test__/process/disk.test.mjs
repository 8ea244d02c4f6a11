// Disks and files that fail while a tasker uses them, on real file systems. Needs root on Linux.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { Tasker } from '../../index.mjs'
import { file, folder, gate, imports, next, open, refused, runs } from '../contract/open.mjs'
import { disk, fill, remoteDisk, remount } from './disk/mount.mjs'

const NOBODY = 65_534

/** A closed file with one task that is done and one that waits. */
async function made(store = file()) {
  const tasker = new Tasker({ store, runners: { 'read-book': () => 'read' } })
  await tasker.start()
  const done = await tasker.addTask({ operation: 'read-book', data: { book: 'dune' } })
  await tasker.waitForTaskOutputData(done)
  const waiting = await tasker.addTask({ operation: 'nobody-does' })
  await tasker.close()
  return { store, done, waiting }
}

/** The uuids of all tasks of a file. */
async function stored(store) {
  const tasker = new Tasker(store)
  const tasks = await tasker.findTasks()
  await tasker.close()
  return tasks.map(task => task.uuid).sort()
}

/** Asserts that a file is refused with this code, and that its folder stays as it is. */
async function refusedUntouched(store, code) {
  const digest = name =>
    createHash('sha256')
      .update(readFileSync(join(dirname(store), name)))
      .digest('hex')
  const image = () => readdirSync(dirname(store)).map(name => [name, digest(name)])
  const before = image()
  const tasker = new Tasker(store)
  const error = await refused(tasker.ready(), code)
  await refused(tasker.addTask({ operation: 'read-book' }), code)
  await tasker.close()
  assert.deepEqual(image(), before, 'the folder was touched')
  return error
}

test('a full disk loses nothing; the same tasker goes on when there is room (F-10)', async t => {
  const store = join(disk(t, folder(), '2m'), 'tasks.db')
  const { runner, call } = gate()
  const tasker = open(t, { store, runners: { 'read-book': runner } })
  await tasker.start()
  const acked = await tasker.addTasks(Array.from({ length: 5 }, () => ({ operation: 'read-book' })))
  const calls = await Promise.all(acked.map((_, n) => call(n)))
  const makeRoom = fill(dirname(store), 256 * 1024)

  const server = await tasker.listen({ port: 0 })
  /** Asks until this is said: what was said is kept for a while. */
  const health = async (what, expected) => {
    let said
    do {
      const answer = await fetch(`${server.url}/health/${what}`)
      said = `${answer.status} ${(await answer.text()).trim()}`
    } while (said !== expected)
  }

  let codes = []
  const add = data =>
    tasker.addTask({ operation: 'nobody-does', data }).then(
      uuid => acked.push(uuid),
      error => codes.push(error.code),
    )
  for (let n = 0; n < 40; n++) await add('x'.repeat(20_000))
  assert.ok(codes.length > 10, 'the disk was not full')
  assert.ok(acked.length > 5, 'the disk was full from the start')

  const results = calls.map(({ context, resolve }) => {
    resolve('y'.repeat(30_000))
    const wait = tasker.waitForTaskOutputData(context.uuid, { timeout: '5m' })
    return wait.catch(error => codes.push(error.code))
  })
  await add('x'.repeat(60_000))
  assert.equal(await tasker.countTasks({ status: 'running' }), 5, 'a result needs room too')
  assert.equal((await tasker.getTask(acked[0])).status, 'running', 'reads go on')
  assert.deepEqual([...new Set(codes)], ['TASKER_FULL'])
  await health('ready', '503 TASKER_FULL')
  await health('live', '200 ok')

  makeRoom()
  codes = []
  await health('ready', '200 ok')
  await Promise.all(results)
  assert.deepEqual(codes, [], 'a result was lost')
  for (const uuid of acked.slice(0, 5)) {
    const result = await tasker.waitForTaskOutputData(uuid, { timeout: '5m' })
    assert.equal(result.length, 30_000)
  }
  await add('after')
  assert.deepEqual(codes, [])
  await tasker.close()
  assert.deepEqual(await stored(store), [...acked].sort(), 'stored is not what was acknowledged')
  assert.deepEqual(readdirSync(dirname(store)), ['ballast', 'tasks.db'])
})

test('a close on a full disk ends, and the next tasker has every task (F-10, I-14)', async t => {
  const store = join(disk(t, folder(), '2m'), 'tasks.db')
  const { runner, call } = gate()
  const tasker = new Tasker({ store, runners: { 'read-book': runner } })
  await tasker.start()
  const uuid = await tasker.addTask({ operation: 'read-book' })
  const first = await call(0)
  const makeRoom = fill(dirname(store))
  first.resolve('y'.repeat(900_000))
  const error = await tasker.close({ timeout: 1 }).catch(error => error)
  if (error) assert.equal(error.code, 'TASKER_FULL')
  makeRoom()
  const again = open(t, { store, runners: { 'read-book': () => 'again' } })
  await again.start()
  assert.equal(await again.waitForTaskOutputData(uuid), 'again')
  await again.close()
})

test('a full disk refuses to open, and lets open when there is room (F-10)', async t => {
  const store = join(disk(t, folder(), '1m'), 'tasks.db')
  const { done, waiting } = await made(store)
  const makeRoom = fill(dirname(store))
  const tasker = new Tasker(store)
  await refused(tasker.ready(), 'TASKER_FULL')
  await tasker.close()
  makeRoom()
  assert.deepEqual(await stored(store), [done, waiting].sort())
})

test('a read-only file system is refused untouched (F-11)', async t => {
  const { store, done, waiting } = await made(join(disk(t, folder(), '1m'), 'tasks.db'))
  remount(dirname(store), 'ro')
  await refusedUntouched(store, 'TASKER_READ_ONLY')
  remount(dirname(store), 'rw')
  assert.deepEqual(await stored(store), [done, waiting].sort())
})

/** Runs a script as a user without rights, once the addon is loaded. */
const asNobody = script =>
  runs(`${imports}
    const first = new Tasker(':memory:')
    await first.ready()
    await first.close()
    process.setgid(${NOBODY})
    process.setuid(${NOBODY})
    ${script}`)

/** A folder and file of the user without rights. */
async function ofNobody() {
  const { store, done, waiting } = await made()
  chmodSync(dirname(dirname(store)), 0o755)
  chownSync(dirname(store), NOBODY, NOBODY)
  chownSync(store, NOBODY, NOBODY)
  return { store, done, waiting }
}

for (const [what, modes] of Object.entries({
  'a read-only file': [0o755, 0o444],
  'a read-only folder': [0o555, 0o644],
})) {
  test(`${what} is refused untouched (F-11)`, async () => {
    const { store } = await ofNobody()
    chmodSync(store, modes[1])
    chmodSync(dirname(store), modes[0])
    const bytes = readFileSync(store)
    const out = await asNobody(`
      const tasker = new Tasker(${JSON.stringify(store)})
      await tasker.ready().catch(error => console.log(error.code))
      await tasker.close()`)
    assert.equal(out, 'TASKER_READ_ONLY\n')
    assert.deepEqual(readFileSync(store), bytes)
    assert.deepEqual(readdirSync(dirname(store)), ['tasks.db'])
  })
}

test('rights taken away while it runs stop the next open, not this one (F-11)', async () => {
  const { store, done, waiting } = await ofNobody()
  const out = await asNobody(`
    const { chmodSync } = await import('node:fs')
    const { dirname } = await import('node:path')
    const store = ${JSON.stringify(store)}
    const tasker = new Tasker({ store, runners: { 'read-book': () => 'read' } })
    await tasker.start()
    chmodSync(store, 0o444)
    chmodSync(dirname(store), 0o555)
    const uuid = await tasker.addTask({ operation: 'read-book' })
    await tasker.waitForTaskOutputData(uuid)
    console.log(uuid)
    await tasker.close()
    const again = new Tasker(store)
    await again.ready().catch(error => console.log(error.code))
    await again.close()`)
  const [uuid, code] = out.split('\n')
  assert.equal(code, 'TASKER_READ_ONLY')
  chmodSync(store, 0o644)
  chmodSync(dirname(store), 0o755)
  assert.deepEqual(await stored(store), [done, waiting, uuid].sort())
})

test('a folder on a network file system is refused, with its kind (F-17)', async t => {
  const remote = remoteDisk(t, folder(), 'fuse.sshfs')
  const tasker = new Tasker(join(remote, 'tasks.db'))
  const error = await refused(tasker.ready(), 'TASKER_UNSUPPORTED')
  assert.match(error.message, /network file system \(fuse\.sshfs at /)
  await tasker.close()
})

/** What another program does to the file while a tasker has it open. */
const moves = {
  moved: store => renameSync(store, `${store}.away`),
  deleted: store => unlinkSync(store),
  replaced: store => {
    renameSync(store, `${store}.away`)
    copyFileSync(`${store}.other`, store)
  },
}

for (const [what, move] of Object.entries(moves)) {
  test(`a file that was ${what} while open closes the tasker at the next call (F-18)`, async t => {
    const { store } = await made()
    const other = readFileSync((await made()).store)
    writeFileSync(`${store}.other`, other)
    const tasker = open(t, { store })
    const uuid = await tasker.addTask({ operation: 'nobody-does' })
    const fault = next(tasker, 'error')
    move(store)
    await refused(tasker.addTask({ operation: 'nobody-does' }), 'TASKER_IO')
    assert.equal((await fault)[0].code, 'TASKER_IO')
    await refused(tasker.addTask({ operation: 'nobody-does' }), 'TASKER_CLOSED')
    await tasker.close()
    if (what === 'replaced') assert.deepEqual(readFileSync(store), other, 'it wrote to a stranger')
    if (what === 'deleted') return assert.equal(existsSync(store), false)
    renameSync(`${store}.away`, store)
    assert.ok((await stored(store)).includes(uuid), 'lost, though the file is back (I-1)')
  })
}

/** Changes bytes of a closed file. */
function damage(store, change) {
  const bytes = readFileSync(store)
  change(bytes)
  writeFileSync(store, bytes)
}

test('broken text of one task rejects what reads it, and the process lives (F-14)', async t => {
  const { store, done, waiting } = await made()
  damage(store, bytes => bytes.write('!', bytes.indexOf('{"book":"dune"}')))
  const tasker = open(t, { store })
  await refused(tasker.getTask(done), 'TASKER_CORRUPT')
  await refused(tasker.findTasks(), 'TASKER_CORRUPT')
  assert.equal((await tasker.getTask(waiting)).uuid, waiting)
})

test('an index that contradicts its task is an error, not an endless turn (F-14)', async () => {
  const { store, waiting } = await made()
  // In the row the state stands behind the uuid: ready, but from now on done.
  const [ready, done] = [6, 7]
  damage(store, bytes => {
    const at = bytes.indexOf(Buffer.from(waiting.replaceAll('-', ''), 'hex')) + 16
    const lane = bytes[at] === ready ? 0 : 1
    assert.equal(bytes[at + lane], ready)
    bytes[at + lane] = done
  })
  // In a process of its own: an endless turn could not be stopped but by a kill.
  const out = await runs(`${imports}
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), 100_000).unref()
    const runners = { 'nobody-does': () => console.log('it ran') }
    const tasker = new Tasker({ store: ${JSON.stringify(store)}, runners })
    tasker.on('error', error => console.log(error.code))
    await tasker.start().catch(() => {})
    await tasker.addTask({ operation: 'nobody-does' }).catch(error => console.log(error.code))`)
  assert.equal(out, 'TASKER_CORRUPT\nTASKER_CLOSED\n')
})

test('what is no file of tasker, and a newer one, is refused untouched (F-14, I-18)', async () => {
  const sound = readFileSync((await made()).store)
  const newer = Buffer.from(sound)
  newer.writeUInt32BE(7, 60)
  const foreign = Buffer.from(sound)
  foreign.writeUInt32BE(7, 68)
  const cases = {
    TASKER_CORRUPT: [Buffer.from('a text'), Buffer.from('S'), foreign],
    TASKER_VERSION: [newer],
  }
  for (const [code, files] of Object.entries(cases)) {
    for (const bytes of files) {
      const store = file()
      writeFileSync(store, bytes)
      await refusedUntouched(store, code)
    }
  }
  const directory = file()
  mkdirSync(directory)
  await refused(new Tasker(directory).ready(), 'TASKER_IO')
})
