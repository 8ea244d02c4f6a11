// Works through a folder, one task per file, and goes on where it was when it died.
// `node examples/folder.mjs <from> <to> [file]` writes a gzip of each file of <from> into <to>.
//
// How far it is lies in the store, not in this process: a second start adds nothing, it only runs
// what is left. A file that was half written when the process died is written anew, because the
// final name appears with a rename only.

import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { Tasker } from 'tasker'

const [from, to, store = 'folder.db'] = process.argv.slice(2)
const drafts = join(to, 'drafts')
const tasker = new Tasker({ store, exclusive: true, concurrency: 4, durability: 'process' })

tasker.assignRunner('compress', async ({ data, runId, abortSignal: signal }) => {
  const draft = join(drafts, runId)
  const path = join(to, `${data.name}.gz`)
  const source = createReadStream(join(from, data.name))
  await pipeline(source, createGzip(), createWriteStream(draft), { signal })
  await rename(draft, path)
  return { bytes: (await stat(path)).size }
})

/** One task per file, all in one call: an empty store then means that nothing was added yet. */
async function addAll() {
  const files = (await readdir(from, { withFileTypes: true })).filter(entry => entry.isFile())
  // At most 10,000, or the call is refused: then add a task per subfolder instead.
  const tasks = files.map(({ name }) => ({ operation: 'compress', data: { name } }))
  await tasker.addTasks(tasks)
}

/** Resolves when no task waits or runs; tells how far it is after each end. */
async function allEnded() {
  const total = await tasker.countTasks()
  let ended = await tasker.countTasks({ status: { $in: ['done', 'failed', 'aborted'] } })
  console.log(`${ended} of ${total} were there`)
  await new Promise(resolve => {
    if (ended === total) resolve()
    tasker.on('task.ended', (_, status) => {
      ended += 1
      console.log(`${ended} of ${total} ${status}`)
      if (ended === total) resolve()
    })
  })
}

await tasker.ready() // it is ours alone: nobody else is at work on these drafts
await rm(drafts, { recursive: true, force: true })
await mkdir(drafts, { recursive: true })
if ((await tasker.countTasks()) === 0) await addAll()
const ended = allEnded()
await tasker.start()
await ended
for (const { data, error } of await tasker.findTasks({ status: 'failed' })) {
  console.log(`${data.name}: ${error.message}`)
}
await tasker.close()
