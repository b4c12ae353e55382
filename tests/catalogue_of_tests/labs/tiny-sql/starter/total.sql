select count(*) from goods where price > $1
