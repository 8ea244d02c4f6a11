// Real file systems for tests: small ones, and one that says it lies on another machine.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  closeSync,
  openSync,
  read,
  readFileSync,
  statfsSync,
  truncateSync,
  write,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'

/** Runs a command that must succeed. */
function must(program, args, options) {
  const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8', ...options })
  const why = error?.message ?? stderr
  const hint = 'these tests mount file systems: run them as root on Linux'
  assert.equal(status, 0, `${program} ${args.join(' ')}: ${why}(${hint})`)
}

/** Mounts a disk of this size in memory on a folder, until the test is over. */
export function disk(t, folder, size) {
  must('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=777`, 'tasker-test', folder])
  t.after(() => must('umount', ['--lazy', folder]))
  return folder
}

/** Makes a disk read-only, or writable again; no file on it may be open for writing. */
export const remount = (folder, how) => must('mount', ['-o', `remount,${how}`, folder])

/** Fills a disk but for some bytes, and gives the function that makes room again. */
export function fill(folder, left = 0) {
  const path = join(folder, 'ballast')
  const { bavail, bsize } = statfsSync(folder)
  const fd = openSync(path, 'w')
  writeSync(fd, Buffer.alloc(Math.max(0, bavail * bsize - left)))
  closeSync(fd)
  return () => truncateSync(path, 0)
}

const [GETATTR, INIT] = [3, 26]
const FORGET = [2, 42]
const [ENOENT, ENOSYS] = [2, 38]
const DIRECTORY = 0o040755

/** What an empty folder answers: its body, or the error. */
function answer(opcode) {
  if (opcode === INIT) {
    const body = Buffer.alloc(64)
    body.writeUInt32LE(7, 0)
    body.writeUInt32LE(31, 4)
    body.writeUInt32LE(4096, 20)
    return { body }
  }
  if (opcode === GETATTR) {
    const body = Buffer.alloc(104)
    body.writeBigUInt64LE(1n, 16)
    body.writeUInt32LE(DIRECTORY, 76)
    body.writeUInt32LE(2, 80)
    return { body }
  }
  return { body: Buffer.alloc(0), error: opcode === 1 ? ENOENT : ENOSYS }
}

/** Mounts an empty folder of a program that fetches files from elsewhere, such as `fuse.sshfs`. */
export function remoteDisk(t, folder, kind) {
  const fd = openSync('/dev/fuse', 'r+')
  const options = 'fd=3,rootmode=40000,user_id=0,group_id=0'
  const stdio = ['ignore', 'ignore', 'pipe', fd]
  must('mount', ['-i', '-t', kind, '-o', options, 'there:/', folder], { stdio })
  const request = Buffer.alloc(1024 * 1024)
  const serve = () =>
    read(fd, request, 0, request.length, null, error => {
      // Its end: the folder was unmounted.
      if (error) return closeSync(fd)
      const opcode = request.readUInt32LE(4)
      if (FORGET.includes(opcode)) return serve()
      const { body, error: fault = 0 } = answer(opcode)
      const head = Buffer.alloc(16)
      head.writeUInt32LE(16 + body.length, 0)
      head.writeInt32LE(-fault, 4)
      request.copy(head, 8, 8, 16)
      write(fd, Buffer.concat([head, body]), serve)
    })
  serve()
  t.after(() => must('umount', ['--lazy', folder]))
  const mounted = readFileSync('/proc/self/mountinfo', 'utf8').includes(` - ${kind} `)
  assert.ok(mounted, `${kind} is not mounted`)
  return folder
}
