. lib/add.sh
add 1 2
