// A parent that adds its children and waits for them: one album per argument, `cat,dog sun,moon`.
//
// A parent that waits occupies a slot of the tasker's `concurrency`. If parents occupied every
// slot, no child could start, and all would wait for ever. So parents have a lower limit of their
// own.

import { type TaskDefinition, Tasker, type TaskUuid } from 'tasker'
import { resize } from './resize.js'

interface Operations {
  album: { data: { images: string[] }; result: { files: string[] } }
  thumbnail: { data: { album: string; image: string }; result: string }
}

const tasker = new Tasker<Operations>({
  store: new URL('../albums.db', import.meta.url),
  concurrency: 8,
})

tasker.assignRunner('thumbnail', ({ data, abortSignal }) => resize(data.image, abortSignal))

/** The children of an album: found if an earlier run added them, else added, all or none. */
async function childrenOf(album: string, images: string[]): Promise<TaskUuid<'thumbnail'>[]> {
  const found = await tasker.findTasks({ operation: 'thumbnail', 'data.album': album })
  if (found.length > 0) return found.map(({ uuid }) => uuid)
  const children = images.map(
    (image): TaskDefinition<Operations, 'thumbnail'> => ({
      operation: 'thumbnail',
      data: { album, image },
    }),
  )
  return tasker.addTasks(children)
}

tasker.assignRunner(
  'album',
  async ({ uuid, data, abortSignal }) => {
    const children = await childrenOf(uuid, data.images)
    const waits = children.map(child => tasker.waitForTaskOutputData(child, { abortSignal }))
    return { files: await Promise.all(waits) }
  },
  { concurrency: 2 }, // Less than 8, so that six slots are left for children.
)

tasker.on('task.failed', (uuid, error) => console.error(`task ${uuid} failed:`, error))
tasker.on('task.done', (_, result) => {
  if (typeof result === 'object') console.log(result.files.join())
})

const albums = process.argv.slice(2).map(
  (images): TaskDefinition<Operations, 'album'> => ({
    operation: 'album',
    data: { images: images.split(',') },
    onStop: 'postpone', // A stop starts no child, so it must not wait for a parent either.
  }),
)
await tasker.addTasks(albums)

process.once('SIGTERM', () => tasker.close({ timeout: '10s' }))
await tasker.start()
