// The last child adds the next step: one album per argument, `cat,dog sun,moon`.
//
// Nothing waits for anything, so nothing can block. Each child writes what it has made into your
// own database; the transaction that completes the album adds the next task through an outbox, so
// there is exactly one, whatever crashes.

import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { type TaskDefinition, Tasker } from 'tasker'
import { resize } from './resize.js'

interface Operations {
  thumbnail: { data: { album: string; images: number; image: string } }
  publish: { data: { album: string }; result: { files: string[] } }
}

const db = new Database(fileURLToPath(new URL('../shop.db', import.meta.url)))
db.pragma('journal_mode = WAL')
db.exec('CREATE TABLE IF NOT EXISTS thumbnails (task TEXT PRIMARY KEY, album TEXT, file TEXT)')
const tasker = new Tasker<Operations>(new URL('../steps.db', import.meta.url))
const outbox = tasker.outbox(db)

const insert = db.prepare('INSERT OR IGNORE INTO thumbnails (task, album, file) VALUES (?, ?, ?)')
const filesOf = db.prepare<[string], string>('SELECT file FROM thumbnails WHERE album = ?').pluck()

const finish = db.transaction((task: string, album: string, images: number, file: string) => {
  const isNew = insert.run(task, album, file).changes === 1 // Not if it runs again after a crash.
  if (isNew && filesOf.all(album).length === images) {
    outbox.addTask({ operation: 'publish', data: { album } })
  }
})

tasker.assignRunner('thumbnail', async ({ uuid, data, abortSignal }) => {
  const file = await resize(data.image, abortSignal)
  finish(uuid, data.album, data.images, file)
})

tasker.assignRunner('publish', ({ data }) => {
  const files = filesOf.all(data.album)
  console.log(files.join())
  return { files }
})

tasker.on('task.failed', (uuid, error) => console.error(`task ${uuid} failed:`, error))

const children = process.argv.slice(2).flatMap(argument => {
  const [album, images] = [randomUUID(), argument.split(',')]
  return images.map(
    (image): TaskDefinition<Operations, 'thumbnail'> => ({
      operation: 'thumbnail',
      data: { album, images: images.length, image },
    }),
  )
})
await tasker.addTasks(children) // All or none.

process.once('SIGTERM', async () => {
  await tasker.close({ timeout: '10s' })
  db.close()
})
await tasker.start()
