// `npm run pack`: tasker as one tarball with the addon of this platform, to be installed elsewhere.
//
// node scripts/pack.mjs [folder]
//
// Unlike `npm pack` it leaves out what only a checkout needs. npm would ask the user whether the
// script `prepare` may run.

import { resolve } from 'node:path'
import { packForHere } from './release.mjs'
import { setUp } from './setup.mjs'
import { root, say } from './steps.mjs'

try {
  await setUp()
  const { filename } = await packForHere(resolve(process.argv[2] ?? root))
  say(`made ${filename}`)
} catch (error) {
  say(error.message)
  process.exitCode = 1
}
