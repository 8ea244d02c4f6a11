// Compresses each file of a folder, one task per file. Killed, it goes on where it was.
//
//   npx tsx folder.mts <from> <to> [store]
//
// The store knows what is left: a second start adds nothing and runs the rest. A file that was half
// written when the process died is written again, because only a rename gives it its final name.

import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { Tasker } from 'tasker'

interface Operations {
  compress: { data: { name: string }; result: { bytes: number } }
}

const [from, to, store = 'folder.db'] = process.argv.slice(2)
if (!from || !to) {
  console.error('usage: folder.mts <from> <to> [store]')
  process.exit(2)
}
const drafts = join(to, 'drafts')
const tasker = new Tasker<Operations>({ store, exclusive: true, concurrency: 4 })

tasker.assignRunner('compress', async ({ data, runId, abortSignal: signal }) => {
  const draft = join(drafts, runId)
  const path = join(to, `${data.name}.gz`)
  const source = createReadStream(join(from, data.name))
  await pipeline(source, createGzip(), createWriteStream(draft), { signal })
  await rename(draft, path)
  return { bytes: (await stat(path)).size }
})

tasker.on('task.failed', (uuid, error) => console.error(`task ${uuid} failed:`, error))
process.once('SIGTERM', async () => {
  await tasker.close({ timeout: '10s' })
  process.exit() // What is left runs when the program starts again.
})

/** One task per file, all in one call: if the store is empty, nothing was added yet. */
async function addAll() {
  const files = (await readdir(from, { withFileTypes: true })).filter(entry => entry.isFile())
  // One call takes up to 10,000 tasks.
  await tasker.addTasks(files.map(({ name }) => ({ operation: 'compress', data: { name } })))
}

/** Resolves when every task has ended; prints how far it is after each. */
async function allEnded() {
  const total = await tasker.countTasks()
  let ended = await tasker.countTasks({ status: { $in: ['done', 'failed', 'aborted'] } })
  console.log(`${ended} of ${total} were there`)
  await new Promise<void>(resolve => {
    if (ended === total) resolve()
    tasker.on('task.ended', (_, status) => {
      ended += 1
      console.log(`${ended} of ${total} ${status}`)
      if (ended === total) resolve()
    })
  })
}

await tasker.ready() // The store is exclusive, so no other process uses these drafts.
await rm(drafts, { recursive: true, force: true })
await mkdir(drafts, { recursive: true })
if ((await tasker.countTasks()) === 0) await addAll()
const ended = allEnded()
await tasker.start()
await ended
await tasker.close()
