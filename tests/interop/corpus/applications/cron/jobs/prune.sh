#!/bin/sh
echo prune
