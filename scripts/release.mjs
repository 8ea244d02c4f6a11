// Makes the packages to publish, as tarballs: one per platform, which holds nothing but its addon,
// and tasker itself, which names them as optional dependencies of exactly its version.
//
// node scripts/release.mjs <folder with all the addons> <folder for the tarballs>
//
// `npm run pack` makes one tarball for this platform: tasker with its addon inside.
//
// They are made from one table and committed nowhere, so that no version can be left behind, and
// `npm install` of a checkout looks for no package that is not there yet.

import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { isMain, npm, root, say } from './steps.mjs'

/** Every platform that gets an addon: what npm selects it by, and the head of its file. */
export const platforms = {
  'darwin-arm64': { os: 'darwin', cpu: 'arm64' },
  'darwin-x64': { os: 'darwin', cpu: 'x64' },
  'linux-arm64-gnu': { os: 'linux', cpu: 'arm64', libc: 'glibc' },
  'linux-arm64-musl': { os: 'linux', cpu: 'arm64', libc: 'musl' },
  'linux-x64-gnu': { os: 'linux', cpu: 'x64', libc: 'glibc' },
  'linux-x64-musl': { os: 'linux', cpu: 'x64', libc: 'musl' },
  'win32-arm64-msvc': { os: 'win32', cpu: 'arm64' },
  'win32-x64-msvc': { os: 'win32', cpu: 'x64' },
}

/** The newest glibc that an addon may need: that of the oldest Node.js we support. */
const glibcMax = 28

const addonName = platform => `tasker.${platform}.node`
const packageName = platform => `@tasker/native-${platform}`
const about = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** Refuses an addon that is not what its name says, or needs a newer system than we promise. */
export function checkAddon(platform, bytes) {
  const { os, cpu, libc } = platforms[platform]
  const found = machine(bytes)
  const expected = `${os} ${cpu}`
  if (found !== expected) throw new Error(`${addonName(platform)} is for ${found}, not ${expected}`)
  if (os !== 'linux') return
  const text = bytes.toString('latin1')
  const linked = text.includes('libc.so.6') ? 'glibc' : 'musl'
  if (linked !== libc) throw new Error(`${addonName(platform)} is linked to ${linked}, not ${libc}`)
  const minors = [...text.matchAll(/GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor))
  const newest = Math.max(0, ...minors)
  if (newest > glibcMax) throw new Error(`${addonName(platform)} needs glibc 2.${newest}`)
}

const cpus = new Map([
  ['linux 62', 'x64'],
  ['linux 183', 'arm64'],
  ['darwin 16777223', 'x64'],
  ['darwin 16777228', 'arm64'],
  ['win32 34404', 'x64'],
  ['win32 43620', 'arm64'],
])

/** Whom a library is for, by the head of its file: ELF, Mach-O or PE. */
function machine(bytes) {
  if (bytes.length < 64) return 'nobody'
  if (bytes.readUInt32BE(0) === 0x7f454c46) return system('linux', bytes.readUInt16LE(18))
  if (bytes.readUInt32LE(0) === 0xfeedfacf) return system('darwin', bytes.readUInt32LE(4))
  const head = bytes.toString('latin1', 0, 2) === 'MZ' ? bytes.readUInt32LE(60) : bytes.length
  if (bytes.toString('latin1', head, head + 4) !== 'PE\0\0') return 'nobody'
  return system('win32', bytes.readUInt16LE(head + 4))
}

const system = (os, code) => `${os} ${cpus.get(`${os} ${code}`) ?? `machine ${code}`}`

/** The package.json of a platform's package. */
export function platformPackage(platform) {
  const { os, cpu, libc } = platforms[platform]
  return {
    name: packageName(platform),
    version: about.version,
    description: `The native addon of tasker for ${platform}`,
    license: about.license,
    author: about.author,
    ...repository(),
    main: addonName(platform),
    files: [addonName(platform)],
    os: [os],
    cpu: [cpu],
    ...(libc && { libc: [libc] }),
    engines: about.engines,
    preferUnplugged: true,
  }
}

/** The package.json of tasker for users: nothing in it is for a checkout, scripts least of all. */
function packageForUsers() {
  const { scripts, devDependencies, ...rest } = about
  return { ...rest, ...repository() }
}

/** The package.json of tasker as it is published. */
export function taskerPackage() {
  const pairs = Object.keys(platforms).map(platform => [packageName(platform), about.version])
  return { ...packageForUsers(), optionalDependencies: Object.fromEntries(pairs) }
}

/** Where the sources are; npm compares it with the repository that publishes. */
function repository() {
  const { GITHUB_SERVER_URL, GITHUB_REPOSITORY } = process.env
  if (!GITHUB_REPOSITORY) return {}
  return {
    repository: { type: 'git', url: `git+${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}.git` },
  }
}

/** Makes the tarball of a platform; gives what npm says of it, such as its `filename`. */
export async function packPlatform(platform, addon, out) {
  const stage = stageFolder()
  copyFileSync(addon, join(stage, addonName(platform)))
  copyFileSync(join(root, 'LICENSE'), join(stage, 'LICENSE'))
  const text = `The native addon of tasker for ${platform}.`
  writeFileSync(join(stage, 'README.md'), `${text}\n`)
  return pack(stage, platformPackage(platform), out)
}

/** Makes the tarball of tasker, without an addon. */
export function packTasker(out) {
  return packFiles(taskerPackage(), out, path => !path.endsWith('.node'))
}

/** Makes a tarball of tasker with the addon of this platform inside. */
export function packForHere(out) {
  return packFiles(packageForUsers(), out, () => true)
}

async function packFiles(contents, out, isWanted) {
  const stage = stageFolder()
  const [{ files }] = JSON.parse(
    await npm(['pack', '--dry-run', '--json', '--ignore-scripts'], { capture: true }),
  )
  for (const { path } of files.filter(({ path }) => isWanted(path))) {
    mkdirSync(dirname(join(stage, path)), { recursive: true })
    cpSync(join(root, path), join(stage, path))
  }
  return pack(stage, contents, out)
}

const stageFolder = () => mkdtempSync(join(tmpdir(), 'tasker-pack-'))

async function pack(stage, contents, out) {
  writeFileSync(join(stage, 'package.json'), `${JSON.stringify(contents, undefined, 2)}\n`)
  const args = ['pack', stage, '--json', '--ignore-scripts', '--pack-destination', out]
  const [packed] = JSON.parse(await npm(args, { capture: true }))
  rmSync(stage, { recursive: true })
  return packed
}

async function main(addons, tarballs) {
  if (!tarballs) throw new Error('name the folder of the addons and one for the tarballs')
  const out = resolve(tarballs)
  const places = Object.keys(platforms).map(platform => [
    platform,
    join(resolve(addons), addonName(platform)),
  ])
  for (const [platform, addon] of places) checkAddon(platform, readFileSync(addon))
  for (const [platform, addon] of places) say((await packPlatform(platform, addon, out)).filename)
  say((await packTasker(out)).filename)
}

if (isMain(import.meta.url)) {
  await main(...process.argv.slice(2)).catch(error => {
    say(error.message)
    process.exitCode = 1
  })
}
