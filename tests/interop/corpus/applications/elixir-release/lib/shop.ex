shop
