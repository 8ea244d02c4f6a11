import type { NextConfig } from 'next'

export default {
  serverExternalPackages: ['tasker'], // It has a native addon, which no bundler can include.
} satisfies NextConfig
