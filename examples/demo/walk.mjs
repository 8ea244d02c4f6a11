// Which files there are.

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

const skipped = new Set(['.git', 'target'])

/** The files below a folder, as paths from it, in order; at most `max`. Links are not followed. */
export async function filesBelow(folder, max) {
  const found = []
  const folders = ['']
  while (folders.length > 0 && found.length < max) {
    const at = folders.pop()
    const entries = await readdir(join(folder, at), { withFileTypes: true })
    for (const entry of entries.sort(byName)) {
      const path = join(at, entry.name)
      if (entry.isDirectory() && !skipped.has(entry.name)) folders.push(path)
      if (entry.isFile()) found.push(path)
    }
  }
  return found.slice(0, max)
}

const byName = (a, b) => (a.name < b.name ? -1 : 1)
