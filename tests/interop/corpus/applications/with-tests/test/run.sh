. lib/add.sh
[ "$(add 1 2)" = 3 ] && echo passed
