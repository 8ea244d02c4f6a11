// Makes the addon anew inside an installed package, from the sources that it brings.

import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { addon, buildAddon, install, needTools } from './build.mjs'
import { node, root, say } from './steps.mjs'

/** What cargo and scripts/build.mjs need. */
const sources = [
  '.cargo',
  'Cargo.lock',
  'Cargo.toml',
  'build.rs',
  'crates',
  'package.json',
  'rust-toolchain.toml',
  'scripts',
  'src',
]

/**
 * Builds the addon and sees it work. In a checkout that is all; an installed package builds in a
 * copy of its sources: cargo drops what is not shipped from the lock file, and the files of a
 * package may be shared with other projects. The copy is kept until a build succeeds.
 */
export async function buildNative() {
  needTools()
  if (existsSync(join(root, 'ts'))) await buildAddon()
  else await buildFromCopy(join(root, '.build'))
  await node(['--eval', check], { env: { ...process.env, TASKER_NATIVE: addon } })
  say(`${addon} is made, and works`)
}

const check = `
  const { Tasker } = require('./dist/index.js')
  const tasker = new Tasker(':memory:')
  tasker.ready().then(() => tasker.close())`

async function buildFromCopy(place) {
  mkdirSync(place, { recursive: true })
  for (const name of sources) {
    cpSync(join(root, name), join(place, name), { recursive: true, preserveTimestamps: true })
  }
  await node([join(place, 'scripts/build.mjs')], { cwd: place })
  install(join(place, basename(addon)), addon)
  rmSync(place, { recursive: true })
}
