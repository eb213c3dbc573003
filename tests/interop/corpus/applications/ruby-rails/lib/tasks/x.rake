task :x
